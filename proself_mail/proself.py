"""The Proself config file: every value of Proself's settings screens, in their order.

Nothing public says that Proself reads a file: a person pastes from this one, programs read it.
The form is this product's own, TOML; the labels in its comments are those of the vendor's FAQ 481
of 2025-09-12. It holds one secret, the newest; other valid ones are not in it.
"""

import contextlib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

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

from proself_mail import facts, git_tree, private_file, whole_file
from proself_mail.errors import ConfigurationError, Refused
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
管理画面 → システム設定 の各画面に入力する値を、画面の順に並べています。
シークレットが含まれています。ほかの人には見せず、Proself に入力したら削除してください。
Values for the administrator's screens of Proself, in their order: 管理画面 → システム設定.
This file holds a client secret: keep it to yourself, and delete it when the values are entered.\
"""


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
        Label("シークレットのキーID", "The secret's key ID", remark="入力不要", is_entered=False),
    ]
    client_secret_expires: Annotated[
        AwareDatetime,
        Label("シークレットの有効期限", "The secret's end", remark="入力不要", is_entered=False),
    ]


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


_OURS = re.compile(rb'^stack_id *= *"?([^"\n]*)', re.MULTILINE)
_ELSEWHERE = "name another place by `pulumi config set configFile PATH --plaintext --stack S`"
_AGAIN = "Write it again by `proself-mail config --stack S --write`."


def check_writable(path: Path, settings: Settings, elsewhere: str = _ELSEWHERE) -> None:
    """Look whether a stack's file could be written there, without writing.

    Raises as `write` does, and `Refused` where `configFile` names a place in which another stack's
    is, or of which git would take it into a commit. What lies in this stack's usual place is of an
    earlier stack of its name, and git ignores it. `elsewhere` says how a person names another
    place: by default, that of a stack which is there.
    """
    private_file.check(path, elsewhere)
    other = _check_replaceable(path, elsewhere)
    check_kept_from_git(path, settings, elsewhere)
    if settings.config_file and other not in (None, str(settings.stack_id)):
        raise Refused(
            f"{path} is the Proself config file of another stack, {other}; it is left as it is.",
            f"If that stack is no more, delete it; or {elsewhere}; then try again.",
        )


def left_behind(settings: Settings, stack: str, root: Path) -> Sequence[Path]:
    """Return this stack's files in the usual places of other names: it was renamed.

    With what killed writes left beside them. `stack` is its name now, `root` what relative paths
    begin at.
    """
    own = settings.config_file_path(stack, root)
    found = []
    for folder in sorted((root / "out").glob("*")):
        usual = folder / "proself.toml"
        for path in (usual, *whole_file.scratches(usual)) if usual != own else ():
            with contextlib.suppress(OSError):
                borne = _OURS.search(path.read_bytes())
                if borne and borne[1] == str(settings.stack_id).encode():
                    found.append(path)
    return found


def check_kept_from_git(path: Path, settings: Settings, elsewhere: str = _ELSEWHERE) -> None:
    """Refuse a place of `configFile` of which git would take the file into a commit."""
    if settings.config_file and git_tree.would_take(path):
        raise Refused(
            f"{path} lies in a working tree of git, which would take the file with the client "
            "secret into a commit.",
            f"Have git ignore it, or {elsewhere}, then try again.",
        )


def write(path: Path, config: ProselfConfig) -> None:
    """Write the file, private to the user, in one step; an earlier one is replaced.

    Raises `Refused` where something else is there, and as `private_file.write`.
    """
    _check_replaceable(path, _ELSEWHERE)
    private_file.write(path, config.to_toml(), _ELSEWHERE)


def _check_replaceable(path: Path, elsewhere: str) -> str | None:
    """Return the UUID of the stack whose Proself config file is there; None where nothing is.

    One that was edited by hand and cannot be read any more is one still. Raises `Refused` for
    anything else: a stack's file may name any place.
    """
    try:
        if not path.exists():
            return None
        found = _OURS.search(path.read_bytes()) if path.is_file() else None
    except OSError as error:
        raise private_file.unwritable(path, error.strerror or str(error), elsewhere) from error
    if found:
        return found[1].decode(errors="replace")
    raise Refused(
        f"{path} is there already and is no Proself config file; it is left as it is.",
        f"Move it away, or {elsewhere}, then try again.",
    )


def read(path: Path) -> ProselfConfig:
    """Read a config file back.

    Raises `ConfigurationError` for an unknown or missing key or a wrong value, naming it, and as
    `private_file.read`.
    """
    try:
        text = private_file.read(path, _AGAIN, "rotate the client secret in it too")
        return ProselfConfig.model_validate(tomllib.loads(text))
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
        _AGAIN,
    )
