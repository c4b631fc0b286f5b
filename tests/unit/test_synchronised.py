"""Folders that are copied elsewhere are recognised, each by what its service leaves there."""

import json
import sys
from pathlib import Path

import pytest

from proself_mail.files.synchronised import service_of


@pytest.mark.parametrize(
    ("folder", "service"),
    [
        ("OneDrive", "OneDrive"),
        ("OneDrive - Contoso 株式会社/資料", "OneDrive"),
        ("Library/CloudStorage/OneDrive-Contoso/Documents", "OneDrive"),
        ("Dropbox/a/b", "Dropbox"),
        ("Dropbox (Personal)", "Dropbox"),
        ("Library/Mobile Documents/com~apple~CloudDocs/x", "iCloud Drive"),
        ("iCloudDrive", "iCloud Drive"),
        ("iCloud Drive", "iCloud Drive"),
        ("Google Drive/x", "Google Drive"),
        ("Library/CloudStorage/GoogleDrive-a@example.jp/My Drive", "Google Drive"),
        ("G/マイドライブ", "Google Drive"),
        ("Box", "Box"),
        ("Box Sync/x", "Box"),
        ("Library/CloudStorage/Box-Box", "Box"),
        ("Nextcloud/x", "Nextcloud"),
        ("Nextcloud2", "Nextcloud"),
        ("ownCloud", "Nextcloud"),
        ("Library/CloudStorage/ProtonDrive-a", "a cloud storage of macOS"),
        ("Documents", None),
        ("Boxes", None),
        ("work/dropbox-client", None),
        ("my onedrive notes", None),
    ],
)
def test_a_folder_is_told_by_its_name(tmp_path: Path, folder: str, service: str | None) -> None:
    (tmp_path / folder).mkdir(parents=True)
    assert service_of(tmp_path / folder / "sheet.html", tmp_path, {}) == service
    assert service_of(tmp_path / folder / "new" / "sheet.html", tmp_path, {}) == service


@pytest.mark.parametrize(
    ("mark", "service"),
    [
        (".849C9593-D756-4E56-8D6E-42412F2A707B", "OneDrive"),
        (".dropbox", "Dropbox"),
        (".dropbox.cache", "Dropbox"),
        (".tmp.driveupload", "Google Drive"),
        (".nextcloudsync.log", "Nextcloud"),
        (".sync_8e5a1b2c3d4f.db", "Nextcloud"),
        ("._sync_8e5a1b2c3d4f.db", "Nextcloud"),
        (".owncloudsync.log", "Nextcloud"),
        (".stfolder", "Syncthing"),
        (".stignore", "Syncthing"),
        (".gitignore", None),
    ],
)
def test_a_folder_is_told_by_what_lies_in_it(
    tmp_path: Path, mark: str, service: str | None
) -> None:
    folder = tmp_path / "共有" / "below"
    folder.mkdir(parents=True)
    (tmp_path / "共有" / mark).touch()
    assert service_of(folder / "sheet.html", tmp_path, {}) == service


@pytest.mark.skipif(sys.platform == "win32", reason="to make a link takes a right there")
def test_a_link_into_one_is_followed(tmp_path: Path) -> None:
    (tmp_path / "OneDrive").mkdir()
    (tmp_path / "Documents").symlink_to(tmp_path / "OneDrive")
    assert service_of(tmp_path / "Documents" / "sheet.html", tmp_path, {}) == "OneDrive"


@pytest.mark.parametrize("variable", ["OneDrive", "OneDriveCommercial", "OneDriveConsumer"])
def test_windows_says_where_onedrive_is(tmp_path: Path, variable: str) -> None:
    (tmp_path / "Contoso" / "資料").mkdir(parents=True)
    environment = {variable: str(tmp_path / "Contoso")}
    found = service_of(tmp_path / "Contoso" / "資料" / "sheet.html", tmp_path, environment)
    assert found == "OneDrive"
    assert service_of(tmp_path / "other" / "sheet.html", tmp_path, environment) is None


def test_dropbox_says_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "Firma").mkdir()
    (tmp_path / ".dropbox").mkdir()
    accounts = {"business": {"path": str(tmp_path / "Firma"), "host": 1}}
    (tmp_path / ".dropbox" / "info.json").write_text(json.dumps(accounts), encoding="utf-8")
    assert service_of(tmp_path / "Firma" / "sheet.html", tmp_path, {}) == "Dropbox"
    assert service_of(tmp_path / "own" / "sheet.html", tmp_path, {}) is None
    (tmp_path / "roaming" / "Dropbox").mkdir(parents=True)
    (tmp_path / ".dropbox" / "info.json").rename(tmp_path / "roaming/Dropbox/info.json")
    windows = {"APPDATA": str(tmp_path / "roaming")}
    assert service_of(tmp_path / "Firma" / "sheet.html", tmp_path, windows) == "Dropbox"


@pytest.mark.parametrize("text", ["", "[]", "{", '{"personal": 1}', '{"personal": {}}', "[" * 2000])
def test_a_list_that_cannot_be_read_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / ".dropbox").mkdir()
    (tmp_path / ".dropbox" / "info.json").write_text(text, encoding="utf-8")
    assert service_of(tmp_path / "own" / "sheet.html", tmp_path, {}) is None
