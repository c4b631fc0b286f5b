"""A model of one Proself server: what is set on it, the sign-in for its mail, and a mail sent.

It is built from the vendor's FAQ 481 and does no more than that says. What the FAQ leaves open (the
scope, where a blank tenant leads) is a `Habits`, which the admin port sets. The pages are
`proself`'s.
"""

import asyncio
import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.mime.text import MIMEText
from email.utils import format_datetime, make_msgid
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from emulator.admin_input import Fields
from emulator.clock import graph_time
from emulator.json_text import Json
from emulator.proself.proself_mailer import Delivery, NotSent
from emulator.proself.proself_values import Values
from emulator.proself.proself_world import World

CALLBACK = "/proself/oauth2callback/smtp"
BLANK_TENANTS = ("common", "organizations")


@dataclass(frozen=True, kw_only=True)
class Habits:
    """What of Proself's behaviour is not public."""

    scope: str = "https://outlook.office.com/Mail.Send offline_access"
    """What the sign-in asks for. The FAQ has Mail.Send consented to, and nothing else."""
    blank_tenant: str = "common"
    """Where the sign-in goes when テナントID is blank."""
    user_address: str = "taro@proself.example"
    """The mail address of the user who is signed in to Proself; no mailbox of Exchange's."""

    @classmethod
    def read(cls, fields: Fields, now: "Habits") -> "Habits":
        """Read new ones; what is left out stays. AdminError if one is not understood."""
        return cls(
            scope=fields.text("scope", now.scope),
            blank_tenant=fields.choice("blank_tenant", BLANK_TENANTS, now.blank_tenant),
            user_address=fields.text("user_address", now.user_address),
        )


@dataclass(frozen=True)
class Notice:
    """What a screen says above its form."""

    text: str
    good: bool


@dataclass(frozen=True)
class _Token:
    access: str = field(repr=False)
    refresh: str = field(repr=False)
    """Empty where none was given."""
    ends: datetime


class Proself:
    """One server, known by its host name."""

    def __init__(self, name: str, world: World) -> None:
        self.name = name
        self._world = world
        self.habits = Habits()
        self.values = Values()
        self._last: Notice | None = None
        """What was last said."""
        self._due: Notice | None = None
        """What the next page is to say."""
        self._token: _Token | None = None
        self._begun: dict[str, str] = {}
        """The redirect URI of each sign-in that is under way, by its `state`."""

    def say(self, text: str, *, good: bool) -> None:
        """Let the next page say something."""
        self._last = self._due = Notice(text, good)

    def take_notice(self) -> Notice | None:
        """Return what a page is to say; it says it once."""
        due, self._due = self._due, None
        return due

    def sign_in_address(self) -> str:
        """Begin a sign-in for the mail server and return the address to send the browser to."""
        redirect_uri, state = f"{self.values.host_name}{CALLBACK}", secrets.token_urlsafe(24)
        self._begun[state] = redirect_uri
        asked = {
            "client_id": self.values.client_id,
            "response_type": "code",
            "redirect_uri": redirect_uri,
            "scope": self.habits.scope,
            "state": state,
        }
        return f"{self._world.authority}/{self._tenant}/oauth2/v2.0/authorize?{urlencode(asked)}"

    @property
    def _tenant(self) -> str:
        return quote(self.values.tenant_id, safe="") or self.habits.blank_tenant

    async def finish_sign_in(self, answer: dict[str, str]) -> None:
        """Take the sign-in's answer, get the token, and say how that went."""
        redirect_uri = self._begun.pop(answer.get("state", ""), None)
        if redirect_uri is None:
            self.say("このサーバーが始めたサインインの応答ではありません。", good=False)
        elif "code" not in answer:
            self.say(_refusal(answer), good=False)
        else:
            asked = {"grant_type": "authorization_code", "code": answer["code"]}
            refusal = await self._redeem(asked | {"redirect_uri": redirect_uri})
            text = refusal or "認証に成功し、トークンを取得しました。"
            self.say(text, good=not refusal)

    async def send(self, kind: str, recipient: str) -> None:
        """Send a mail of a kind (`system` or `web`) and say how that went."""
        by_user = kind == "web" and self.values.from_address == "user"
        sender = self.habits.user_address if by_user else self.values.mail_address
        try:
            token = await self._usable_token() if self.values.by_oauth else ""
            reply = await asyncio.to_thread(self._delivery(sender, recipient, token).carry_out)
        except NotSent as refusal:
            self.say(f"メールを送信できませんでした。\n{refusal}", good=False)
        else:
            self.say(f"メールを送信しました。\n{reply}", good=True)

    def _delivery(self, sender: str, recipient: str, token: str) -> Delivery:
        if not sender:
            raise NotSent("「システムメールの設定」に「メールアドレス」がありません。")
        user = self.values.user_id if self.values.by_oauth else ""
        sent = {"差出人のメールアドレス": sender, "宛先": recipient, "ユーザーID": user}
        for label, typed in sent.items():
            if not (typed.isascii() and typed.isprintable()):
                raise NotSent(
                    f"「{label}」に、SMTPで送れない文字 (全角文字など) があります: {typed}\n"
                    "半角の英数字と記号で入力してください。"
                )
        # No `EmailMessage`, which takes addresses apart: a wrong one is the server's to refuse.
        message = MIMEText(
            "このメールは、Proselfからメールを送信できることの確認です。\n", _charset="utf-8"
        )
        message["From"], message["To"] = sender, recipient
        message["Subject"] = "Proselfからのテストメール"
        message["Date"] = format_datetime(self._world.now())
        message["Message-ID"] = make_msgid(domain=self.name)
        host, port = self._world.mail_server(self.values.smtp_server, int(self.values.port))
        return Delivery(
            host=host,
            port=port,
            trust=self._world.trust,
            starttls=self.values.starttls,
            message=message,
            sender=sender,
            recipient=recipient,
            user=user,
            token=token,
        )

    async def _usable_token(self) -> str:
        """Return an access token that is good for a while, refreshed where need be."""
        if self._token is None:
            raise NotSent(
                "トークンがありません。「メールサーバー情報の設定」でサインインしてください。"
            )
        if self._token.ends <= self._world.now():
            if not self._token.refresh:
                raise NotSent("トークンの有効期限が切れています。サインインし直してください。")
            asked = {"grant_type": "refresh_token", "refresh_token": self._token.refresh}
            if refusal := await self._redeem(asked):
                raise NotSent(refusal)
        return self._token.access

    async def _redeem(self, asked: dict[str, str]) -> str:
        """Exchange a code or a refresh token; return the refusal, empty where there is none."""
        form = asked | {
            "client_id": self.values.client_id,
            "client_secret": self.values.client_secret,
            "scope": self.habits.scope,
        }
        try:
            reply = await self._world.post(f"/{self._tenant}/oauth2/v2.0/token", form)
            got: dict[str, Any] = reply.json()
        except (httpx.HTTPError, ValueError) as error:
            return f"Microsoftと通信できません: {error}"
        if reply.status_code != 200:
            return _refusal(got)
        ends = self._world.now() + timedelta(seconds=int(got["expires_in"]))
        refresh = got.get("refresh_token") or (self._token.refresh if self._token else "")
        self._token = _Token(got["access_token"], refresh, ends)
        return ""

    def as_json(self) -> Json:
        """Return the form in which the admin port shows it; no secret is in it."""
        covered = replace(self.values, client_secret="***" if self.values.client_secret else "")
        token = self._token
        return {
            "habits": vars(self.habits),
            "values": vars(covered),
            "token_ends": graph_time(token.ends) if token else None,
            "refresh_token": bool(token and token.refresh),
            "shown": self._last.text if self._last else None,
            "good": self._last.good if self._last else None,
        }


def _refusal(answer: dict[str, Any]) -> str:
    """Quote an OAuth refusal whole."""
    described = answer.get("error_description", "")
    return "\n".join(filter(None, (str(answer.get("error", "")), str(described)))) or "エラー"
