"""Opens a browser at an address that no other user of the machine may learn.

Everybody can read a browser's arguments, so they name a file that only this user can read, and it
leads on to the address. As Jupyter does (jupyter_server, `use_redirect_file`).
"""

import contextlib
import html
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from proself_mail.errors import Error
from proself_mail.files import private_file

_PAGE = """<!doctype html><html lang="ja"><meta charset="utf-8"><title>proself-mail</title>
<meta http-equiv="refresh" content="0; url={address}">
<p><a href="{address}">設定シート</a></p><p lang="en"><a href="{address}">The setup sheet</a></p>
</html>"""


@contextlib.contextmanager
def opening(
    folder: Path, open_browser: Callable[[str], object]
) -> Iterator[Callable[[str], object]]:
    """Give what opens an address by a file, for the length of a `with` block.

    `folder` is made where it is missing, 0700; browsers that are packaged apart (snap, flatpak)
    read no folder of the system's and none that is hidden. `open_browser` takes the file's address,
    and says something false where it knows that no browser opened; so does what is given where the
    file cannot be written.
    """
    with contextlib.ExitStack() as kept:

        def by_file(address: str) -> object:
            try:
                private_file.make_folder(folder)
                scratch = tempfile.TemporaryDirectory(dir=folder, prefix="sheet-")
                page = Path(kept.enter_context(scratch)) / "sheet.html"
                private_file.write(page, _PAGE.format(address=html.escape(address)))
            except (OSError, Error):
                return False
            return open_browser(page.as_uri())

        yield by_file
