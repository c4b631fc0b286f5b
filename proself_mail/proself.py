"""The Proself config file: every value of Proself's settings screens, in their order.

Nothing public says that Proself reads a file: a person pastes from this one, programs read it.
The form is this product's own, TOML; the labels in its comments are those of the vendor's FAQ 481
of 2025-09-12. It holds one secret, the newest; other valid ones are not in it.
"""

import tomllib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, Self

import tomlkit
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    ValidationError,
    model_validator,
)
from tomlkit.items import Table

from proself_mail import facts, private_file
from proself_mail.errors import ConfigurationError
from proself_mail.secret import MASK, Secret
from proself_mail.settings import Settings

Text = Annotated[str, StringConstraints(min_length=1)]


@dataclass(frozen=True)
class ClientSecret:
    """One client secret that Entra holds, with its value, as the stack's outputs give it."""

    window: str
    """The id of the window that it was made for (`schedule.Window.id`)."""
    key_id: str
    starts: datetime
    expires: datetime
    value: Secret


_HEADER = """\
Proself のメール設定 (proself-mail が作成)
Values for the administrator's screens of Proself, in their order: 管理画面 → システム設定.
This file holds a client secret: keep it to yourself, and delete it when the values are entered.\
"""


class _Screen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ThisServer(_Screen):
    """このサーバー情報の設定."""

    host_name: Annotated[Text, Field(title="ホスト名(FQDN)")]


class MailServer(_Screen):
    """メールサーバー情報の設定."""

    smtp_server: Annotated[Text, Field(title="SMTPサーバー")]
    port: Annotated[int, Field(title="ポート")]
    starttls: Annotated[bool, Field(title="STARTTLSを使用する")]
    smtp_authentication: Annotated[bool, Field(title="送信時にSMTP認証を行う")]
    authentication_method: Annotated[Literal["OAuth"], Field(title="認証方式")]
    user_id: Annotated[Text, Field(title="ユーザーID")]
    tenant_id: Annotated[str, Field(title="テナントID (マルチテナントでは空欄可)")]
    client_id: Annotated[Text, Field(title="クライアントID")]
    client_secret: Annotated[Text, Field(title="シークレット", repr=False)]
    client_secret_key_id: Annotated[Text, Field(title="シークレットのキーID (入力不要)")]
    client_secret_expires: Annotated[
        AwareDatetime, Field(title="シークレットの有効期限 (入力不要)")
    ]


class SystemMail(_Screen):
    """システムメールの設定."""

    mail_address: Annotated[Text, Field(title="メールアドレス (ユーザーIDと同じ)")]


class WebPublicationMail(_Screen):
    """メール文書設定 → Web公開/受取フォルダ → Web公開メール送信のデフォルト文書設定."""

    from_system_mail_address: Annotated[
        Literal[True], Field(title="Fromのメールアドレス: システムメールアドレス")
    ]


class ProselfConfig(_Screen):
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
    def of(cls, settings: Settings, client_id: str, secret: "ClientSecret") -> Self:
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
        """Return it with the secret covered, to be shown."""
        mail_server = self.mail_server.model_copy(update={"client_secret": MASK})
        return self.model_copy(update={"mail_server": mail_server})

    def to_toml(self) -> str:
        """Render the file: one table a screen, the FAQ's label above each value."""
        document = tomlkit.document()
        for line in _HEADER.splitlines():
            document.add(tomlkit.comment(line))
        document.add(tomlkit.nl())
        document.add("format", tomlkit.item(self.format))
        document.add("stack_id", tomlkit.item(self.stack_id))
        for name in type(self).model_fields:
            screen = getattr(self, name)
            if isinstance(screen, _Screen):
                document.add(tomlkit.nl())
                document.add(name, _table(screen))
        return tomlkit.dumps(document)


def _table(screen: _Screen) -> Table:
    table = tomlkit.table()
    table.comment((type(screen).__doc__ or "").rstrip("."))
    for name, field in type(screen).model_fields.items():
        table.add(tomlkit.comment(str(field.title)))
        table.add(name, tomlkit.item(getattr(screen, name)))
    return table


def write(path: Path, config: ProselfConfig) -> None:
    """Write the file, private to the user, in one step. Raises as `private_file.write`."""
    private_file.write(path, config.to_toml())


def read(path: Path) -> ProselfConfig:
    """Read a config file back.

    Raises `ConfigurationError` for an unknown or missing key or a wrong value, naming it, and as
    `private_file.read`.
    """
    try:
        return ProselfConfig.model_validate(tomllib.loads(private_file.read(path)))
    except tomllib.TOMLDecodeError as error:
        found = f"it is not TOML: {error}"
    except ValidationError as error:
        found = "; ".join(
            f"{'.'.join(map(str, details['loc'])) or 'the file'}: "
            f"{details['msg'].removeprefix('Value error, ')}"
            # The input is left out: it may be the secret.
            for details in error.errors(include_url=False, include_input=False)
        )
    raise ConfigurationError(
        f"{path} is not a Proself config file of this version: {found}.",
        "Write it again by `proself-mail config --stack S --write`.",
    )
