"""What a person enters into Proself: every value of its settings screens, in their order.

The labels are those of the vendor's FAQ 481 of 2025-09-12. It has one secret, the newest; other
valid ones are not in it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, Self

import tomlkit
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    field_serializer,
    model_validator,
)
from tomlkit.items import Table

from proself_mail import facts
from proself_mail.config.settings import Settings
from proself_mail.secret import MASK
from proself_mail.stack.client_secret import ClientSecret

Text = Annotated[str, StringConstraints(min_length=1)]


_HEADER = """\
Proself のメール設定 (proself-mail が作成)
管理画面 → システム設定 の各画面に入力する値を、画面の順に並べています。
{}
Values for the administrator's screens of Proself, in their order: 管理画面 → システム設定.
{}\
"""
_WITH_SECRET = (
    "シークレットが含まれています。ほかの人には見せず、Proself に入力したら削除してください。",
    "This file holds a client secret: keep it to yourself, and delete it when the values are "
    "entered.",
)
_WITHOUT_SECRET = (
    f"シークレットは含まれていません。その欄は「{MASK}」と表示しています。",
    f"The client secret is not in it: {MASK} stands in its place.",
)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


@dataclass(frozen=True)
class Label:
    """What a field is called, and what a person does with it."""

    faq: str
    """On Proself's screen, as the FAQ writes it."""
    english: str
    """What that means."""
    option: str = ""
    """Which of its radio buttons is switched on."""
    is_chosen: bool = False
    """Whether it is chosen from a list, not typed."""
    remark: str = ""
    is_entered: bool = True
    """Whether it stands on the screen at all."""

    @property
    def comment(self) -> str:
        """The line above the value in the file."""
        option = f": {self.option}" if self.option else ""
        return f"{self.faq}{option}" + (f" ({self.remark})" if self.remark else "")


class Screen(_Strict):
    """One of Proself's settings screens; the docstring of each is its name there."""

    english: ClassVar[str]

    @classmethod
    def name(cls) -> str:
        """Its name on Proself's menus."""
        return (cls.__doc__ or "").rstrip(".")

    @classmethod
    def labels(cls) -> Mapping[str, Label]:
        """Labels by the fields' names, in the screen's order."""
        return {
            name: next(each for each in field.metadata if isinstance(each, Label))
            for name, field in cls.model_fields.items()
        }


class ThisServer(Screen):
    """このサーバー情報の設定."""

    english = "This server"

    host_name: Annotated[Text, Label("ホスト名(FQDN)", "Host name (FQDN)")]


class MailServer(Screen):
    """メールサーバー情報の設定."""

    english = "Mail server"

    smtp_server: Annotated[Text, Label("SMTPサーバー", "SMTP server")]
    port: Annotated[int, Label("ポート", "Port")]
    starttls: Annotated[bool, Label("STARTTLSを使用する", "Use STARTTLS")]
    smtp_authentication: Annotated[
        bool, Label("送信時にSMTP認証を行う", "Authenticate by SMTP when sending")
    ]
    authentication_method: Annotated[
        Literal["OAuth"], Label("認証方式", "Authentication method", is_chosen=True)
    ]
    user_id: Annotated[Text, Label("ユーザーID", "User ID")]
    tenant_id: Annotated[str, Label("テナントID", "Tenant ID", remark="マルチテナントでは空欄可")]
    client_id: Annotated[Text, Label("クライアントID", "Client ID")]
    client_secret: Annotated[Text, Field(repr=False), Label("シークレット", "Secret")]
    client_secret_key_id: Annotated[
        Text,
        Label("シークレットのキー ID", "The secret's key ID", remark="入力不要", is_entered=False),
    ]
    client_secret_expires: Annotated[
        AwareDatetime,
        Label("シークレットの有効期限", "The secret's end", remark="入力不要", is_entered=False),
    ]

    @property
    def is_covered(self) -> bool:
        """Whether the secret is not in it."""
        return self.client_secret == MASK

    @field_serializer("client_secret", when_used="json")
    def _null_where_covered(self, value: str) -> str | None:
        # A program would take what covers it for a secret.
        return None if self.is_covered else value


class SystemMail(Screen):
    """システムメールの設定."""

    english = "System mail"

    mail_address: Annotated[
        Text, Label("メールアドレス", "Mail address", remark="ユーザーIDと同じ")
    ]


class WebPublicationMail(Screen):
    """メール文書設定 → Web公開/受取フォルダ → Web公開メール送信のデフォルト文書設定."""

    english = "Mail texts → Web publication and receiving folders → Default text of its mail"

    from_system_mail_address: Annotated[
        Literal[True],
        Label("Fromのメールアドレス", "Mail address in From", option="システムメールアドレス"),
    ]


class ProselfConfig(_Strict):
    """What a person enters into Proself, and which stack it is of."""

    format: Literal[1]
    stack_id: Annotated[Text, PlainSerializer(str)]
    this_server: ThisServer
    mail_server: MailServer
    system_mail: SystemMail
    web_publication_mail: WebPublicationMail

    @model_validator(mode="after")
    def _check_sender(self) -> Self:
        if self.system_mail.mail_address.lower() != self.mail_server.user_id.lower():
            raise ValueError(
                f"system_mail.mail_address ({self.system_mail.mail_address}) must equal "
                f"mail_server.user_id ({self.mail_server.user_id}): Exchange Online refuses a "
                "sender that is not the signed-in user"
            )
        return self

    @classmethod
    def of(cls, settings: Settings, client_id: str, secret: ClientSecret) -> Self:
        """Fill the screens for a stack, by the FAQ."""
        return cls(
            format=1,
            stack_id=str(settings.stack_id),
            this_server=ThisServer(host_name=f"https://{settings.server}"),
            mail_server=MailServer(
                smtp_server=facts.SMTP_HOST,
                port=facts.SMTP_PORT,
                starttls=True,
                smtp_authentication=True,
                authentication_method="OAuth",
                user_id=settings.mailbox,
                tenant_id=settings.tenant_id_for_proself,
                client_id=client_id,
                client_secret=secret.value.reveal(),
                client_secret_key_id=secret.key_id,
                client_secret_expires=secret.expires,
            ),
            system_mail=SystemMail(mail_address=settings.mailbox),
            web_publication_mail=WebPublicationMail(from_system_mail_address=True),
        )

    def without_secret(self) -> "ProselfConfig":
        """Return it with the secret covered, to be shown; as JSON it is null then."""
        mail_server = self.mail_server.model_copy(update={"client_secret": MASK})
        return self.model_copy(update={"mail_server": mail_server})

    def to_toml(self) -> str:
        """Render the file: one table a screen, the FAQ's label above each value."""
        document = tomlkit.document()
        about_secret = _WITHOUT_SECRET if self.mail_server.is_covered else _WITH_SECRET
        for line in _HEADER.format(*about_secret).splitlines():
            document.add(tomlkit.comment(line))
        document.add(tomlkit.nl())
        document.add("format", tomlkit.item(self.format))
        document.add("stack_id", tomlkit.item(self.stack_id))
        for name, screen in self.screens():
            document.add(tomlkit.nl())
            document.add(name, _table(screen))
        return tomlkit.dumps(document)

    def screens(self) -> Iterator[tuple[str, Screen]]:
        """Return the screens with their tables' names, in the FAQ's order."""
        for name in type(self).model_fields:
            screen = getattr(self, name)
            if isinstance(screen, Screen):
                yield name, screen


def _table(screen: Screen) -> Table:
    table = tomlkit.table()
    table.comment(screen.name())
    for name, label in screen.labels().items():
        table.add(tomlkit.comment(label.comment))
        table.add(name, tomlkit.item(getattr(screen, name)))
    return table
