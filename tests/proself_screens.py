"""An administrator of Proself at a real browser: the FAQ's screens, the sign-in, a mail sent."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

Enter = Callable[["Locator", str], None]
"""Puts a value of the config file, named as there (`mail_server.client_id`), into a field."""

MAIL_SERVER = {
    "SMTPサーバー": "mail_server.smtp_server",
    "ポート": "mail_server.port",
    "ユーザーID": "mail_server.user_id",
    "テナントID": "mail_server.tenant_id",
    "クライアントID": "mail_server.client_id",
    "シークレット": "mail_server.client_secret",
}
"""The texts of メールサーバー情報の設定, in their order, and where the config file has them."""


class ProselfScreens:
    """One page of a browser that is open at Proself."""

    def __init__(self, page: "Page") -> None:
        self.page = page
        self._sends_from = ""
        """The address of メール送信の確認, once it was opened."""

    def open(self, *names: str) -> None:
        """Follow links from where one is, by their names."""
        for name in names:
            with self.page.expect_navigation():
                self.page.get_by_role("link", name=name, exact=True).click()

    def press(self, name: str) -> None:
        """Press a button, and wait for the page that it leads to."""
        with self.page.expect_navigation():
            self.page.get_by_role("button", name=name, exact=True).click()

    def type(self, label: str, value: str) -> None:
        self.page.get_by_label(label, exact=True).fill(value)

    def set_this_server(self, enter: Enter) -> None:
        self.open("このサーバー情報の設定")
        enter(self.page.get_by_label("ホスト名(FQDN)"), "this_server.host_name")
        self.press("設定")
        assert self.notice() == "設定しました。"

    def set_mail_server(self, enter: Enter) -> None:
        """Fill メールサーバー情報の設定 in and press 設定, which opens the dialog."""
        self.open("メールサーバー情報の設定")
        for label, name in MAIL_SERVER.items():
            enter(self.page.get_by_label(label, exact=True), name)
        self.page.get_by_label("STARTTLSを使用する").check()
        self.page.get_by_label("送信時にSMTP認証を行う").check()
        self.page.get_by_label("認証方式").select_option("OAuth")
        self.press("設定")

    def set_senders(self, enter: Enter) -> None:
        """Set システムメールの設定, and the From of mails of the Web publication."""
        self.open("システムメールの設定")
        enter(self.page.get_by_label("メールアドレス"), "system_mail.mail_address")
        self.press("設定")
        assert self.notice() == "設定しました。"
        self.open("メール文書設定", "Web公開/受取フォルダ", "Web公開メール送信のデフォルト文書設定")
        self.page.get_by_label("システムメールアドレス").check()
        self.press("設定")
        assert self.notice() == "設定しました。"

    def begin_sign_in(self) -> None:
        """Press the dialog's button; the browser is at Microsoft's page then."""
        self.press("Sign in with Microsoft")

    def sign_in(self, user: str, password: str) -> None:
        """Sign in at Microsoft's page, whether or not it offers accounts first."""
        self.begin_sign_in()
        other = "別のアカウントを使用する"
        if self.page.get_by_role("button", name=other).count():
            self.press(other)
        self.type_account(user, password)

    def type_account(self, user: str, password: str) -> None:
        """Fill in the form of Microsoft's page."""
        self.type("アカウント", user)
        self.type("パスワード", password)
        self.press("サインイン")

    def refusal(self) -> str:
        """Read the refusal that Microsoft's page shows."""
        return self.page.locator(".details, [role=alert]").inner_text()

    def notice(self) -> str:
        """Read what the screen says above its form."""
        return self.page.locator(".notice").inner_text()

    def send(self, kind: str = "システムメール", to: str = "") -> str:
        """Send a mail, again from where the last one was sent, and return what the screen says."""
        if self.page.url != self._sends_from:
            self.open("メール送信の確認")
            self._sends_from = self.page.url
        self.page.get_by_label(kind).check()
        if to:
            self.type("宛先", to)
        self.press("送信")
        return self.notice()
