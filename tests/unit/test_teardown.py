"""Which stacks a teardown is of: each name that was given is looked at."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from proself_mail.errors import ConfigurationError
from proself_mail.removal import teardown


def nobody(*_: object) -> Any:
    raise AssertionError("before any plan")


@pytest.mark.parametrize(
    ("names", "cause"),
    [
        (["dev", "organization/other/dev"], "'organization/other/dev' is not the name of a stack"),
        (["dev", "dev", "../dev"], "'../dev' is not the name of a stack"),
        (["acme/dev", "dev", "contoso/proself-mail/dev"], "are of two organizations"),
    ],
)
def test_a_second_name_is_not_taken_for_the_first(
    tmp_path: Path, names: list[str], cause: str
) -> None:
    run = teardown.run(names, tmp_path, print, teardown.Options(), show=nobody, confirm=nobody)
    with pytest.raises(ConfigurationError, match=cause):
        asyncio.run(run)
