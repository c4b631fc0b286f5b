"""What an administrator of Proself sets on four screens, and how a form of one is read.

Screens and labels are those of the vendor's FAQ 481. What Proself refuses on its own, and in which
words, is not public: the little that is refused here is what the model cannot work without.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

Form = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Values:
    """Everything that is set, as it was typed. A new server has nothing."""

    host_name: str = ""
    """このサーバー情報の設定: ホスト名(FQDN)."""
    smtp_server: str = ""
    port: str = "25"
    starttls: bool = False
    smtp_authentication: bool = False
    authentication_method: str = ""
    user_id: str = ""
    tenant_id: str = ""
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    mail_address: str = ""
    """システムメールの設定: メールアドレス."""
    from_address: str = "user"
    """Web公開メール送信のデフォルト文書設定: Fromのメールアドレス, `system` or `user`."""

    @property
    def by_oauth(self) -> bool:
        """Whether mail is sent with a token."""
        return self.smtp_authentication and self.authentication_method == "OAuth"


@dataclass(frozen=True)
class Screen:
    """One form: which values it sets, and by which labels it asks for those that it needs."""

    texts: Mapping[str, str] = field(default_factory=dict)
    """Labels of the texts, by the name of the value."""
    ticks: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    needed_for_authentication: tuple[str, ...] = ()

    def read(self, form: Form, now: Values) -> tuple[Values, str]:
        """Read a form, and what is wrong with it, empty where nothing is.

        A secret that is left empty stays as it was, for the screen does not show it.
        """
        typed: dict[str, Any] = {name: form.get(name, "") for name in self.texts}
        if "client_secret" in typed:
            typed["client_secret"] = typed["client_secret"] or now.client_secret
        values = replace(now, **typed | {name: name in form for name in self.ticks})
        for name, label in self.texts.items():
            spared = name in self.optional or (
                name in self.needed_for_authentication and not values.smtp_authentication
            )
            if not typed[name] and not spared:
                return values, f"「{label}」を入力してください。"
        port = values.port
        if not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536):
            return values, "「ポート」には 1 から 65535 までの数値を入力してください。"
        return values, ""


THIS_SERVER = Screen({"host_name": "ホスト名(FQDN)"})
MAIL_SERVER = Screen(
    {
        "smtp_server": "SMTPサーバー",
        "port": "ポート",
        "authentication_method": "認証方式",
        "user_id": "ユーザーID",
        "tenant_id": "テナントID",
        "client_id": "クライアントID",
        "client_secret": "シークレット",
    },
    ticks=("starttls", "smtp_authentication"),
    optional=("tenant_id",),
    needed_for_authentication=("authentication_method", "user_id", "client_id", "client_secret"),
)
SYSTEM_MAIL = Screen({"mail_address": "メールアドレス"})
WEB_PUBLICATION_MAIL = Screen({"from_address": "Fromのメールアドレス"})
