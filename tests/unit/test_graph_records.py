"""What of Graph's answers becomes a record, and what of them is passed over."""

from typing import Any

import pytest

from proself_mail.entra import graph_records


def test_every_platforms_redirect_uris_are_read() -> None:
    found = graph_records.application(
        {
            "id": "o",
            "appId": "c",
            "web": {"redirectUris": ["https://web"]},
            "spa": {"redirectUris": ["https://spa"]},
            "publicClient": {"redirectUris": ["myapp://auth"]},
        }
    )
    assert found.redirect_uris == ("https://web",)
    assert found.other_redirect_uris == ("https://spa", "myapp://auth")


def test_application_permissions_are_none_of_the_delegated_ones() -> None:
    access = [{"id": "delegated", "type": "Scope"}, {"id": "its own", "type": "Role"}]
    required = [{"resourceAppId": "r", "resourceAccess": access}]
    found = graph_records.application({"id": "o", "appId": "c", "requiredResourceAccess": required})
    assert found.required_access == {"r": frozenset({"delegated"})}


@pytest.mark.parametrize("enabled", [True, False])
def test_a_default_policy_that_is_disabled_restricts_nothing(enabled: bool) -> None:
    """As a tenant may keep it, with its rules enabled."""
    rule = {"restrictionType": "passwordAddition", "state": "enabled"}
    policy: dict[str, Any] = {
        "isEnabled": enabled,
        "applicationRestrictions": {"passwordCredentials": [rule]},
    }
    found = graph_records.default_policy(policy)
    assert bool(found and found.on_passwords) is enabled
