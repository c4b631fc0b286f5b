"""Where the engine keeps stacks: the address of its backend, as its CLI finds it.

Only the address; what lies there is the engine's. Order of the sources: Pulumi's documentation of
backends, and `pulumi whoami --verbose`.
"""

import json
import os
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

import yaml


def url(project: Path) -> str:
    """Return the address that the environment, the project or `pulumi login` names; or blank."""
    if given := os.environ.get("PULUMI_BACKEND_URL"):
        return given
    try:
        document = yaml.safe_load((project / "Pulumi.yaml").read_text(encoding="utf-8"))
        if named := (document.get("backend") or {}).get("url"):
            return str(named)
        home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
        return str(json.loads((home / "credentials.json").read_text(encoding="utf-8"))["current"])
    except (OSError, ValueError, AttributeError, LookupError):
        return ""


def folder(address: str) -> Path | None:
    """Return the folder that a file backend keeps its stacks in; none for any other backend."""
    parts = urlsplit(address)
    if parts.scheme != "file":
        return None
    if parts.netloc in ("~", "."):  # file://~ is the CLI's own way to write the home folder
        return (Path.home() if parts.netloc == "~" else Path.cwd()) / unquote(parts.path).lstrip(
            "/"
        )
    return Path(url2pathname(parts.path))
