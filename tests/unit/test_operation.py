"""Which `pulumi` command runs the program, told from its command line."""

import pytest

from infra import operation
from infra.operation import _first_word


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("up --yes", "up"),
        ("up --refresh --stack refresh", "up"),
        ("refresh --yes --run-program", "refresh"),
        ("-C /some/where refresh", "refresh"),
        ("--cwd=/some/where --color never destroy", "destroy"),
        ("-v 3 --logtostderr preview", "preview"),
        ("--non-interactive up --exec-kind auto.local", "up"),
        ("--stack one refresh --run-program", "refresh"),
        ("-s one -v3 -Q destroy --run-program", "destroy"),
        ("--profiling p --stack=up refresh", "refresh"),
        ("", None),
        ("--version", None),
    ],
)
def test_the_subcommand(line: str, word: str | None) -> None:
    assert _first_word(line.split()) == word


@pytest.mark.parametrize(
    ("word", "applies", "looks"),
    [
        ("up", True, True),
        ("update", True, True),
        ("watch", True, True),
        ("preview", False, True),
        ("pre", False, True),
        ("refresh", False, False),
        ("destroy", False, False),
        ("down", False, False),
        ("dn", False, False),
        ("import", False, False),
    ],
)
def test_what_a_command_does_by_whatever_name(
    monkeypatch: pytest.MonkeyPatch, word: str, applies: bool, looks: bool
) -> None:
    monkeypatch.setattr(operation, "_command_line", lambda: [word, "--run-program"])
    monkeypatch.setattr("pulumi.runtime.is_dry_run", lambda: False)
    assert operation.applies_changes() is applies
    assert operation.looks_ahead() is looks


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
    monkeypatch.setattr(operation, "_command_line", line.split)
    name, _, value = variable.partition("=")
    if name:
        monkeypatch.setenv(name, value)
    assert operation.is_whole() == is_whole
    assert operation.keeps(SECRET, ABOVE) == keeps
