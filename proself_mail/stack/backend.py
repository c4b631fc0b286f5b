"""Where the engine keeps stacks: the address of its backend, as its CLI finds it.

The address; what lies there is the engine's, but for what a killed engine can leave and no engine
takes away (`drop_cut_attributes`, `drop_half_written`). Order of the sources: Pulumi's
documentation of backends, and `pulumi whoami --verbose`.
"""

import json
import os
import re
import sys
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

import yaml

from proself_mail import json_text
from proself_mail.text.quotation import uncredentialed_address

_FILE = "file://"
_VARIABLE = "PULUMI_BACKEND_URL"


def url(project: Path) -> str:
    """Return the address that the environment, the project or `pulumi login` names; or blank."""
    if given := os.environ.get(_VARIABLE):
        return given
    try:
        document = yaml.safe_load((project / "Pulumi.yaml").read_text(encoding="utf-8"))
        if named := (document.get("backend") or {}).get("url"):
            return str(named)
        home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
        return str(
            json_text.read((home / "credentials.json").read_text(encoding="utf-8"))["current"]
        )
    except (OSError, ValueError, AttributeError, LookupError, TypeError, yaml.YAMLError):
        return ""


def without_secrets(words: str, project: Path) -> str:
    """Cover what is secret of the backend's address where words of the CLI quote that.

    A password may hold a space or a quotation mark, by which nobody sees where it ends who does not
    know the address.
    """
    address = url(project)
    shown = uncredentialed_address(address)
    if shown == address:
        return words
    as_go_quotes_it = json.dumps(address, ensure_ascii=False)[1:-1]
    return words.replace(as_go_quotes_it, shown).replace(address, shown)


def how_to_change() -> str:
    """Say how a person comes to another backend: a clause."""
    if os.environ.get(_VARIABLE):  # which outranks it
        return f"set {_VARIABLE} to its address"
    return "`pulumi login` there"


def is_of_pulumi_cloud(project: Path) -> bool:
    """Whether the address is of Pulumi's own service, which is the backend without any too."""
    address = url(project)
    return not address or address.startswith(("http://", "https://"))


PARALLEL = "PULUMI_DIY_BACKEND_PARALLEL"
"""How many stacks the CLI reads at once for a list of them (pulumi/pulumi#18909)."""


def listing(project: Path) -> dict[str, str]:
    """Return what an environment lacks for a list of stacks, which may never come on Postgres.

    It was seen to be stuck there with four stacks or more, by Pulumi 3.259.0, unless told to read
    no more than three at once.
    """
    is_database = _parts(url(project)).scheme == "postgres"
    return {PARALLEL: "1"} if is_database and not os.environ.get(PARALLEL) else {}


def file_url(path: Path) -> str:
    """Return the address of a file backend in an absolute folder, as the CLI takes it.

    On Windows it takes `file://C:/…`: what stands behind the second slash is a path to it.
    """
    uri = path.as_uri()
    return uri.replace("///", "//", 1) if path.drive else uri


def folder(project: Path) -> Path | None:
    """Return the folder that a file backend keeps its stacks in; none for any other backend.

    As the CLI reads the address (pulumi `backend/diy`, `massageBlobPath`): what follows `file://`
    is a path, and no host. A relative one starts in the project's folder, where the CLI is run.
    """
    address = url(project)
    if not address.startswith(_FILE):
        parts = _parts(address)  # file:/…, which the CLI hands on to its storage as it is
        is_path = parts.scheme == "file" and not parts.netloc and parts.path.startswith("/")
        return Path(unquote(parts.path)) if is_path else None
    path = unquote(re.split(r"[?#]", address.removeprefix(_FILE), maxsplit=1)[0])
    if path.startswith("~"):
        return _home() / path[2:]
    return Path(os.path.normpath(project.resolve() / path))


def _parts(address: str) -> SplitResult:
    """Take an address apart; what is none has no parts: why not is the CLI's to say.

    The error that there would be quotes the password in it.
    """
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")


def _home() -> Path:
    """Return the home folder of whom we run as, which HOME may differ from: Go asks the system."""
    if sys.platform == "win32":
        return Path.home()
    import pwd

    return Path(pwd.getpwuid(os.getuid()).pw_dir)


def drop_cut_attributes(place: Path, project: str) -> bool:
    """Remove from a file backend what was cut off of a project's attributes; say whether any was.

    Beside each of its files the engine's storage (gocloud.dev, `fileblob`) writes one with content
    type and checksum, and that not in one step. A kill in between leaves it empty, and every
    command then ends with "EOF". Nothing of it is needed: a file without one is read as well.
    """
    root = folder(place)
    if root is None:
        return False
    own = root / ".pulumi"
    found = [
        own / "meta.yaml.attrs",
        *(own / "stacks" / project).glob("*.attrs"),
        *(own / "locks" / "organization" / project).glob("*/*.attrs"),
    ]
    cut = [path for path in found if not _is_whole(path)]
    for path in cut:
        path.unlink(missing_ok=True)
    return bool(cut)


def drop_half_written(place: Path, project: str, stack: str) -> None:
    """Remove from a file backend what killed engines left half written of a stack's state.

    The same storage writes a file under another name beside it first.
    """
    root = folder(place)
    if root is None:
        return
    its_own = re.compile(rf"{re.escape(stack)}\.json(\.gz)?(\.bak)?\.[0-9a-f]+\.tmp")
    for path in (root / ".pulumi" / "stacks" / project).glob("*.tmp"):
        if its_own.fullmatch(path.name):
            path.unlink(missing_ok=True)


def _is_whole(path: Path) -> bool:
    try:
        json_text.read(path.read_text(encoding="utf-8"))
    except OSError:  # not there, or not ours to judge
        return True
    except ValueError:
        return False
    return True
