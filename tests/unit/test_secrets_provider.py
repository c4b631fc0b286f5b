"""What a stack's file names to encrypt by, against what its state is encrypted by."""

from collections.abc import Mapping
from typing import Any

import pytest

from proself_mail.stack import secrets_provider

KEY = {"secretsprovider": "awskms://key?region=x", "encryptedkey": "aGVsbG8="}


def kept(kind: str, **own: str) -> Mapping[str, Any]:
    """What an exported deployment tells of it."""
    return {"secrets_providers": {"type": kind, "state": own}}


BY_KEY = kept("cloud", url=KEY["secretsprovider"], encryptedkey=KEY["encryptedkey"])
BY_PASSPHRASE = kept("passphrase", salt="v1:a")
BY_PULUMI_CLOUD = kept("service", url="https://api.pulumi.com", stack="s")


@pytest.mark.parametrize(
    ("file", "deployment", "is_other"),
    [
        (KEY, BY_KEY, False),
        (KEY | {"secretsprovider": "awskms://key?region=x&awssdk=v2"}, BY_KEY, False),
        (KEY | {"encryptedkey": "b3RoZXI="}, BY_KEY, True),  # from before it was changed
        ({"secretsprovider": KEY["secretsprovider"]}, BY_KEY, False),
        ({"secretsprovider": "awskms://other"}, BY_KEY, True),
        (KEY, BY_PASSPHRASE, True),
        (KEY, BY_PULUMI_CLOUD, True),
        ({"encryptionsalt": "v1:a"}, BY_KEY, True),
        ({}, BY_KEY, True),  # to which the engine gives a salt of a passphrase at hand
        ({"secretsprovider": "default"}, BY_KEY, True),
        ({"encryptionsalt": "v1:b"}, BY_PASSPHRASE, False),  # which the engine is asked
        ({}, BY_PASSPHRASE, False),
        ({"secretsprovider": "default"}, BY_PULUMI_CLOUD, False),
        ({"encryptionsalt": "v1:b"}, BY_PULUMI_CLOUD, True),
        (KEY, {}, False),
        ({}, {"secrets_providers": None}, False),
    ],
)
def test_a_file_of_another_secrets_provider_than_the_state(
    file: Mapping[str, str], deployment: Mapping[str, Any], is_other: bool
) -> None:
    given = secrets_provider.of_file(file)
    assert given.is_other_than(secrets_provider.of_state(deployment)) is is_other


@pytest.mark.parametrize(
    ("file", "deployment"), [(KEY, BY_KEY), ({"encryptionsalt": "v1:a"}, BY_PASSPHRASE)]
)
def test_the_lines_that_bring_a_file_to_the_state(
    file: Mapping[str, str], deployment: Mapping[str, Any]
) -> None:
    found = secrets_provider.of_state(deployment)
    assert found.lines == tuple(f"{key}: {value}" for key, value in file.items())
    assert secrets_provider.of_state(BY_PULUMI_CLOUD).lines == ()
