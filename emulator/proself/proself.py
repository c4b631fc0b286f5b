"""Proself's administrator screens for mail, and where its sign-in comes back to.

Pages only: what they set and do is `proself_server`'s. Nobody logs in, for the FAQ says nothing of
how; whoever opens a page is the administrator. Each host name is a server of its own.
"""

from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from emulator.cloud import Cloud
from emulator.front import Front
from emulator.proself import proself_values as screens
from emulator.proself.proself_server import CALLBACK, Proself
from emulator.proself.proself_values import Screen, Values
from emulator.web_pages import NO_ICON, Look

_LOOK = Look("proself.css")
_ADMIN = "/proself/admin"
_MAIL_SERVER = f"{_ADMIN}/mail-server"

_Handler = Callable[[Request, Proself], Awaitable[Response]]


class ProselfServers:
    """The servers by host name, and their pages."""

    def __init__(self, start: Callable[[], dict[str, Proself]]) -> None:
        """Serve what `start` makes, now and after each reset."""
        self._start = start
        self.reset()

    def reset(self) -> None:
        """Be as at the start."""
        self.servers = self._start()

    def application(self, cloud: Cloud) -> Front:
        """Make the application of the servers' own port."""
        forms = {
            f"{_ADMIN}/server": ("this_server.html", screens.THIS_SERVER),
            _MAIL_SERVER: ("mail_server.html", screens.MAIL_SERVER),
            f"{_ADMIN}/system-mail": ("system_mail.html", screens.SYSTEM_MAIL),
            f"{_ADMIN}/mail-texts/web/default": (
                "web_publication_mail.html",
                screens.WEB_PUBLICATION_MAIL,
            ),
        }
        pages = {
            f"{_ADMIN}/": "menu.html",
            f"{_ADMIN}/mail-texts": "mail_texts.html",
            f"{_ADMIN}/mail-texts/web": "web_publication.html",
        }
        get, post = ["GET"], ["POST"]
        routes = [
            NO_ICON,
            Route("/proself/", lambda _: RedirectResponse(f"{_ADMIN}/")),
            Route(f"{_MAIL_SERVER}/sign-in", self._for(_begin_sign_in), methods=post),
            Route(CALLBACK, self._for(_finish_sign_in), methods=get),
            Route(f"{_ADMIN}/test-mail", self._for(_page("test_mail.html")), methods=get),
            Route(f"{_ADMIN}/test-mail", self._for(_send), methods=post),
            *(Route(path, self._for(_page(name)), methods=get) for path, name in pages.items()),
        ]
        for path, (template, screen) in forms.items():
            routes.append(Route(path, self._for(_page(template)), methods=get))
            routes.append(Route(path, self._for(_setting(template, screen)), methods=post))
        return Front(Starlette(routes=routes), cloud)

    def _for(self, handler: _Handler) -> Callable[[Request], Awaitable[Response]]:
        """Find the server that the address names; let no other page post to it."""

        async def respond(request: Request) -> Response:
            host = request.headers.get("host", "")
            server = self.servers.get(host.partition(":")[0].lower())
            if server is None:
                names = ", ".join(self.servers)
                return PlainTextResponse(f"No Proself server has this name; there is {names}.", 404)
            site = request.headers.get("sec-fetch-site", "same-origin")
            if request.method == "POST" and site != "same-origin":
                return PlainTextResponse("Only this server's own pages may post here.", 403)
            return await handler(request, server)

        return respond


def _shown(
    server: Proself, template: str, values: Values | None = None, *, asks: bool = False
) -> Response:
    """Render a screen with what is set (or was typed), and what there is to say, once.

    `asks` opens the dialog that leads to the sign-in.
    """
    return _LOOK.page(
        f"proself/{template}",
        language="ja",
        name=server.name,
        notice=server.take_notice(),
        values=values or server.values,
        asks=asks,
    )


def _page(template: str) -> _Handler:
    async def show(_: Request, server: Proself) -> Response:
        return _shown(server, template)

    return show


def _setting(template: str, screen: Screen) -> _Handler:
    async def save(request: Request, server: Proself) -> Response:
        values, wrong = screen.read(await _form(request), server.values)
        if wrong:
            server.say(wrong, good=False)
            return _shown(server, template, values=values)
        server.values = values
        if screen is screens.MAIL_SERVER and values.by_oauth:
            return _shown(server, template, asks=True)
        server.say("設定しました。", good=True)
        return _shown(server, template)

    return save


async def _begin_sign_in(_: Request, server: Proself) -> Response:
    if not server.values.host_name:
        server.say("先に「このサーバー情報の設定」を設定してください。", good=False)
        return _shown(server, "mail_server.html")
    return RedirectResponse(server.sign_in_address(), 303)


async def _finish_sign_in(request: Request, server: Proself) -> Response:
    await server.finish_sign_in(dict(request.query_params))
    return RedirectResponse(_MAIL_SERVER, 303)  # so that no address bar keeps the code


async def _send(request: Request, server: Proself) -> Response:
    form = await _form(request)
    if recipient := form.get("recipient", ""):
        await server.send(form.get("kind", "system"), recipient)
    else:
        server.say("「宛先」を入力してください。", good=False)
    return _shown(server, "test_mail.html")


async def _form(request: Request) -> dict[str, str]:
    body = (await request.body()).decode("utf-8", "replace")
    return dict(parse_qsl(body, keep_blank_values=True))
