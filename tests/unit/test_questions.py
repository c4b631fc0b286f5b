"""What the program does by what the tenant told it, or could not be asked."""

from contextlib import nullcontext
from typing import Any, cast

import pytest

from infra import questions
from infra.made import Made
from proself_mail.errors import Refused


@pytest.mark.parametrize(
    ("told", "there", "refused"),
    [(None, True, False), ("x", False, False), ("x", True, True), ("x", None, True)],
)
def test_a_second_application_is_made_only_where_the_first_is_surely_gone(
    monkeypatch: pytest.MonkeyPatch, told: str | None, there: bool | None, refused: bool
) -> None:
    """Where the tenant cannot be asked (`None`), the first may be there."""

    async def ask(*_: object) -> bool | None:
        return there

    monkeypatch.setattr(questions, "_ask", ask)
    lost = Made(None, {}, told_application_id=told)
    with pytest.raises(Refused, match="a second one would be made") if refused else nullcontext():
        questions.check_not_lost("dev", "tenant", cast(Any, None), lost)
