"""What a run leaves out on purpose, told from its command line and its variables."""

import pytest

from infra import command, targets

URN = "urn:pulumi:dev::proself-mail::proself-mail:index:MailApp"
SECRET = f"{URN}$azuread:index/applicationPassword:ApplicationPassword::secret-20260101T000000Z"
APPLICATION = f"{URN}$azuread:index/application:Application::application"
ABOVE = (
    "urn:pulumi:dev::proself-mail::pulumi:pulumi:Stack::proself-mail-dev",
    f"{URN}::proself",
    f"{URN}$pulumi:providers:azuread::azuread",
    APPLICATION,
)
CONSENT = "**::consent"


@pytest.mark.parametrize(
    ("line", "variable", "is_whole", "keeps"),
    [
        ("up --yes", "PULUMI_OPTION_YES=true", True, False),
        # A target leaves all but what depends on it.
        (f"up --target {CONSENT}", "", False, True),
        (f"up --target={CONSENT}", "", False, True),
        (f"up -t {CONSENT}", "", False, True),
        (f"up -yft {CONSENT}", "", False, True),
        (f"up -yft={CONSENT}", "", False, True),
        (f"up -yft{CONSENT} -m no", "", False, True),
        (f"up --target-replace {CONSENT}", "", False, True),
        (f"up --target {CONSENT} --target-dependents", "", False, True),
        ("up --target urn:pulumi:dev::proself-mail::*::secret", "", False, True),
        (f"up --target {SECRET}", "", False, False),
        (f"up --target {APPLICATION}", "", False, False),
        (f"up -t {CONSENT} -t **:Stack::*", "", False, False),
        (f"up -t {CONSENT} --target-replace **::azuread", "", False, False),
        ("up --target **", "", False, False),
        ("up --target *", "", False, True),
        ("up --target-dependents", "", True, False),
        # What is excluded stays, and all else is done.
        (f"up --exclude {CONSENT}", "", False, False),
        ("up --exclude **::secret-*", "", False, True),
        ("preview -x **::secret-2026*", "", False, True),
        (f"up --exclude {APPLICATION}", "", False, False),
        (f"up --exclude {APPLICATION} --exclude-dependents", "", False, True),
        (f"up --exclude {APPLICATION} --exclude-dependents=false", "", False, False),
        (f"up --exclude {CONSENT} --exclude-dependents", "", False, False),
        ("up --exclude-dependents", "", True, False),
        # The value of another flag, and what is none.
        (f"up -m --target={CONSENT}", "", True, False),
        (f"up --message --target={CONSENT}", "", True, False),
        (f"up -ym --target={CONSENT}", "", True, False),
        (f"up -mt{CONSENT}", "", True, False),
        (f"up -s -t {CONSENT}", "", True, False),
        (f"up -Zt {CONSENT}", "", True, False),
        (f"up -- --target {CONSENT}", "", True, False),
        # The CLI's variables, and those of another flag.
        ("up", f"PULUMI_OPTION_TARGET={CONSENT}", False, True),
        ("up", f"PULUMI_OPTION_TARGET={CONSENT},{SECRET}", False, False),
        ("up", f"PULUMI_OPTION_TARGET_REPLACE={CONSENT}", False, True),
        (f"up -t {CONSENT}", "PULUMI_OPTION_TARGET=**", False, False),
        ("preview", "PULUMI_OPTION_EXCLUDE=**::secret-*", False, True),
        ("up --exclude **::application", "PULUMI_OPTION_EXCLUDE_DEPENDENTS=1", False, True),
        ("up", "PULUMI_OPTION_TARGET=", True, False),
        ("up", "PULUMI_OPTION_EXCLUDE_PROTECTED=true", True, False),
        ("up", "PULUMI_OPTION_TARGET_DEPENDENTS=true", True, False),
    ],
)
def test_what_is_left_out_on_purpose(
    monkeypatch: pytest.MonkeyPatch, line: str, variable: str, is_whole: bool, keeps: bool
) -> None:
    """By a flag, or by the variable that the CLI takes it from; and what becomes of a secret."""
    monkeypatch.setattr(command, "arguments", line.split)
    name, _, value = variable.partition("=")
    if name:
        monkeypatch.setenv(name, value)
    assert targets.is_whole() == is_whole
    assert targets.keeps(SECRET, ABOVE) == keeps
