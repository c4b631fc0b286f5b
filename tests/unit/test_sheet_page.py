"""The setup sheet in a real browser: what its buttons do, who can use it, what stays behind."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from pypdf import PdfReader

from proself_mail.secret import MASK
from proself_mail.sheet import sheet_page
from tests.browser import Visit, Visitor
from tests.sheets import CLIENT, VALUE, Serve, client_secret, serve, sheet_of
from tests.unit.test_settings import OTHER_TENANT, TENANT

__all__ = ["serve"]  # a fixture

CLIPBOARD = ["clipboard-read", "clipboard-write"]
SECRET = '[data-value="mail_server.client_secret"]'
REVEAL = '[data-reveal="mail_server.client_secret"]'


_BROKEN = """() => {
  const seen = [...document.querySelectorAll("p, .command code, tbody td, .ended, .said")]
  const broken = []
  for (const each of seen) {
    const walk = document.createTreeWalker(each, NodeFilter.SHOW_TEXT)
    for (let node; (node = walk.nextNode()); ) {
      const words = /(?<![\\w-])--?[a-z][\\w-]*|[ァ-ヶー]+(ID)?|ください|\\w+$/gi
      const times = /\\d+年[\\d月]+日|[\\d:]+ UTC/g
      const text = node.data
      for (const word of [...text.matchAll(words), ...text.matchAll(times)]) {
        const range = document.createRange()
        range.setStart(node, word.index)
        range.setEnd(node, word.index + word[0].length)
        const lines = new Set([...range.getClientRects()].map(one => Math.round(one.top)))
        if (lines.size > 1) broken.push(word[0])
      }
    }
  }
  return broken
}"""
"""Options of commands, and words, days and hours, that are broken over two lines."""


def written(folder: Path, *, secret: bool = False, full: bool = False) -> str:
    """Write a sheet to a file and return its address; `full` has everything that one can have."""
    if full:
        earlier = client_secret(1, days_left=20)
        sheet = sheet_of(
            [earlier, client_secret(2)], audience="multi", mailboxTenantId=OTHER_TENANT
        )
    else:
        sheet = sheet_of()
    path = folder / "sheet.html"
    path.write_text(
        sheet_page.written(sheet, sheet.newest.value if secret else None).html, encoding="utf-8"
    )
    return path.as_uri()


def copied(visitor: Visitor, page: Page, key: str) -> str:
    page.locator(f'[data-copy="{key}"]').click()
    expect(page.locator("#said")).to_contain_text("コピーしました")
    assert " を" not in page.locator("#said").inner_text()
    text = visitor.clipboard(page)
    page.evaluate("document.querySelector('#said').textContent = ''")
    return text


def test_every_button_copies_its_value_and_nothing_asks_elsewhere(
    serve: Serve, visit: Visit
) -> None:
    at = serve()
    visitor = visit(permissions=CLIPBOARD)
    asked: list[str] = []
    visitor.context.on("request", lambda request: asked.append(request.url))
    page = visitor.page(at.address)
    assert page.url == at.origin + "/", "the one-time address does not stay"
    keys = [str(each.get_attribute("data-copy")) for each in page.locator("[data-copy]").all()]
    assert {key: copied(visitor, page, key) for key in keys} == {
        "exchange.connect": "Connect-ExchangeOnline",
        "exchange.enable_smtp": "Set-CASMailbox -Identity proself@example.jp "
        "-SmtpClientAuthenticationDisabled $false",
        "exchange.see_smtp": "Get-CASMailbox -Identity proself@example.jp | Format-List Smtp*",
        "this_server.host_name": "https://proself.example.jp",
        "mail_server.smtp_server": "smtp.office365.com",
        "mail_server.port": "587",
        "mail_server.authentication_method": "OAuth",
        "mail_server.user_id": "proself@example.jp",
        "mail_server.tenant_id": TENANT,
        "mail_server.client_id": CLIENT,
        "mail_server.client_secret": VALUE,
        "system_mail.mail_address": "proself@example.jp",
        "trouble.explain": 'proself-mail explain --stack contoso.production ""',
        "finish.acknowledge": "proself-mail rotate --acknowledge --stack contoso.production",
    }
    assert VALUE not in page.content(), "copying shows it nowhere"
    assert "data-token" not in page.content()
    assert {url.removeprefix(at.origin) for url in asked} == {
        at.address.removeprefix(at.origin),
        "/open",
        "/secret",
    }
    assert visitor.context.cookies() == []
    assert page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]
    assert visitor.complaints == []
    page.close()
    assert at.result.result(20) == 0


def test_the_secret_is_covered_until_asked_for_and_covers_itself(
    serve: Serve, visit: Visit
) -> None:
    at = serve()
    visitor = visit()
    page = visitor.context.new_page()
    page.clock.install()
    page.goto(at.address)
    value, button = page.locator(SECRET), page.locator(REVEAL)
    expect(value).to_have_text(MASK)
    button.click()
    expect(value).to_have_text(VALUE)
    expect(button).to_have_attribute("aria-pressed", "true")
    button.click()
    expect(value).to_have_text(MASK)
    button.click()
    expect(value).to_have_text(VALUE)
    page.clock.fast_forward("01:01")
    expect(value).to_have_text(MASK)
    expect(page.locator("#said")).to_contain_text("隠しました")
    assert VALUE not in page.content()


def test_paper_never_gets_the_secret(tmp_path: Path, visit: Visit) -> None:
    page = visit().page(written(tmp_path, secret=True, full=True))
    page.locator(REVEAL).click()
    expect(page.locator(SECRET)).to_have_text(VALUE)
    pdf = PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True)))
    text = "".join(each.extract_text() for each in pdf.pages).replace("\n", "")
    assert CLIENT in text
    assert VALUE not in text
    assert VALUE[:8] not in text
    assert "印刷されません" in text
    assert "このファイルにはシークレットが含まれています" not in text
    assert len(pdf.pages) <= 4
    page.goto(written(tmp_path))
    shorter = PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True)))
    for each in (pdf, shorter):
        [record] = [text for one in each.pages if "FAQ 481 の" in (text := one.extract_text())]
        assert "oauth2callback/smtp" in record.replace("\n", ""), "its table is on the next page"
    assert {(round(each.mediabox.width), round(each.mediabox.height)) for each in pdf.pages} == {
        (595, 842)  # A4, in points
    }


def test_ticks_outlive_the_switch_of_language(tmp_path: Path, visit: Visit) -> None:
    visitor = visit()
    page = visitor.page(written(tmp_path))
    assert page.locator("html").get_attribute("lang") == "ja"
    label = page.get_by_label("クライアントID")
    label.check()
    page.get_by_role("button", name="English").click()
    assert page.locator("html").get_attribute("lang") == "en"
    expect(page).to_have_title("Proself mail: setup sheet — contoso.production")
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "Proself mail: setup sheet", use_inner_text=True
    )
    expect(page.get_by_label("クライアントID Client ID")).to_be_checked()
    expect(page.locator("#progress-text")).to_have_text("1 / 21 done", use_inner_text=True)
    page.get_by_role("button", name="日本語").click()
    expect(page.get_by_label("クライアントID")).to_be_checked()
    expect(page.locator("#progress-text")).to_have_text("1 / 21 完了", use_inner_text=True)
    assert visitor.complaints == []


def test_in_english_nothing_is_japanese_but_what_proself_calls_things(
    tmp_path: Path, visit: Visit
) -> None:
    """And that is marked as Japanese, for those who hear the page."""
    page = visit().page(written(tmp_path, secret=True, full=True))
    page.get_by_role("button", name="English").click()
    shown = page.evaluate(
        """() => {
            const found = [];
            const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
            while (walk.nextNode()) {
                const at = walk.currentNode.parentElement;
                if (at.checkVisibility() && walk.currentNode.data.trim())
                    found.push([at.closest('[lang]').lang, walk.currentNode.data.trim()]);
            }
            return found;
        }"""
    )
    japanese = re.compile(r"[぀-ヿ一-鿿]")
    assert [text for lang, text in shown if lang == "en" and japanese.search(text)] == []
    marked = {text for lang, text in shown if lang == "ja"}
    assert {"テナントID", "シークレット", "設定", "メールサーバー情報の設定"} <= marked
    assert all(len(text) < 50 for text in marked), "names, no sentences"


def violations(page: Page) -> list[str]:
    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html']}" for each in found]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_it(tmp_path: Path, visit: Visit, scheme: str) -> None:
    """axe-core finds nothing, in either language, wide and on a phone; nothing is cut off."""
    visitor = visit(color_scheme=scheme)
    page = visitor.page(written(tmp_path, secret=True, full=True))
    page.locator(REVEAL).click()
    page.locator(".tick").first.check()
    for language in ("ja", "en"):
        page.locator(f"[data-language={language}]").click()
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 844})
            assert violations(page) == [], (language, width)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator("[data-language=ja]").click()
    for width in (1280, 820, 700, 360, 320):
        page.set_viewport_size({"width": width, "height": 640})
        assert page.evaluate(_BROKEN) == [], "a command breaks inside an option, or a label"
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert visitor.complaints == []


_CONTRAST = """(button) => {
  const {color, backgroundColor} = getComputedStyle(button)
  const [text, ground] = [color, backgroundColor].map((given) => {
    const [r, g, b] = given.match(/[\\d.]+/g).map((each) => {
      const part = each / 255
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  })
  return (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05)
}"""
"""A button's contrast, as WCAG computes it (axe-core lets the pointer rest nowhere)."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_button_is_to_be_read_while_the_pointer_that_pressed_it_rests_on_it(
    tmp_path: Path, visit: Visit, scheme: str
) -> None:
    page = visit(color_scheme=scheme, permissions=CLIPBOARD).page(written(tmp_path, secret=True))
    copy = page.get_by_role("button", name="「シークレット」をコピー")
    show = page.locator(REVEAL)
    for button, state in ((copy, ".copied"), (show, "[aria-pressed=true]")):
        button.click()
        pressed = page.locator(f"button{state}:hover")
        assert pressed.evaluate(_CONTRAST) >= 4.5
        assert pressed.inner_text() == button.inner_text()
    page.locator("[data-language=en]").click()
    expect(page.get_by_role("button", name="Copy シークレット")).to_be_visible()


def test_the_keyboard_is_enough(tmp_path: Path, visit: Visit) -> None:
    visitor = visit(permissions=CLIPBOARD)
    page = visitor.page(written(tmp_path))
    reached: list[str] = []
    for _ in range(60):
        page.keyboard.press("Tab")
        found = page.evaluate(
            """() => {
                const at = document.activeElement;
                const outline = getComputedStyle(at).outlineStyle;
                return [at.dataset.copy ?? at.id ?? at.dataset.language, outline];
            }"""
        )
        if found[0] == "mail_server.tenant_id":
            page.keyboard.press("Enter")
            expect(page.locator("#said")).to_contain_text("テナントID")
            assert visitor.clipboard(page) == TENANT
        if found[0] == "done-mail_server.client_id":
            page.keyboard.press("Space")
        assert found[1] != "none", f"no focus to be seen on {found[0]}"
        reached.append(found[0])
        if found[0] == "config-file":
            break
    expect(page.get_by_label("クライアントID")).to_be_checked()
    copies = [each.get_attribute("data-copy") for each in page.locator("[data-copy]").all()]
    assert [each for each in reached if each in copies] == copies, "in the order of the page"


def test_without_a_clipboard_the_value_is_selected(serve: Serve, visit: Visit) -> None:
    at = serve()
    visitor = visit()
    page = visitor.context.new_page()
    page.add_init_script("delete Navigator.prototype.clipboard")
    page.goto(at.address)
    for key, name, text in (
        ("mail_server.client_id", "クライアントID", CLIENT),
        ("mail_server.client_secret", "シークレット", VALUE),
    ):
        page.locator(f'[data-copy="{key}"]').click()
        expect(page.locator("#said")).to_contain_text(f"選択した「{name}」を Ctrl+C")
        page.set_viewport_size({"width": 360, "height": 640})
        assert page.evaluate(_BROKEN) == []
        assert page.evaluate("getSelection().toString()") == text


def test_a_page_whose_server_has_gone_covers_the_secret_and_says_so(
    serve: Serve, visit: Visit
) -> None:
    at = serve()
    visitor = visit()
    page = visitor.context.new_page()
    with page.expect_request("**/open") as asked:
        page.goto(at.address)
    page.locator(REVEAL).click()
    expect(page.locator(SECRET)).to_have_text(VALUE)
    at.post("/closed", asked.value.headers["x-sheet-token"])
    expect(page.get_by_role("alert")).to_contain_text("proself-mail sheet をもう一度")
    page.set_viewport_size({"width": 360, "height": 640})
    assert page.evaluate(_BROKEN) == []
    assert VALUE not in page.content()
    expect(page.locator(REVEAL)).to_be_disabled()
    expect(page.locator('[data-copy="mail_server.client_secret"]')).to_be_disabled()
    expect(page.locator('[data-copy="mail_server.client_id"]')).to_be_enabled()
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("alert")).to_contain_text("Run proself-mail sheet again")
    assert violations(page) == []
    assert visitor.complaints == []


def test_a_reload_is_a_second_visit(serve: Serve, visit: Visit) -> None:
    at = serve()
    page = visit().page(at.address)
    expect(page.locator("h1")).to_be_visible()
    answer = page.reload()
    assert answer is None or answer.status == 410
    assert VALUE not in page.content()
    assert at.result.result(20) == 0, "and the first one has ended"


def test_another_browser_gets_nothing_after_the_first(serve: Serve, visit: Visit) -> None:
    at = serve()
    mine = visit().page(at.address)
    other = visit().page(at.address)
    expect(other.locator("h1")).to_have_text("このアドレスは一度しか開けません")
    assert violations(other) == []
    mine.close()
    assert at.result.result(20) == 1


@contextmanager
def foreign_site(folder: Path, html: str) -> Iterator[str]:
    """Serve a page of somebody else's on another port and name of this machine."""
    (folder / "index.html").write_text(html, encoding="utf-8")
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    handler.log_message = lambda *_: None  # type: ignore[attr-defined]
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True, args=(0.05,)).start()
        yield f"http://localhost:{server.server_port}/"
        server.shutdown()


def test_another_site_can_neither_link_to_it_nor_frame_it_nor_ask(
    serve: Serve, visit: Visit, tmp_path: Path
) -> None:
    at = serve()
    html = f'<a href="{at.address}">x</a><iframe src="{at.address}"></iframe>'
    with foreign_site(tmp_path, html) as site:
        visitor = visit()
        page = visitor.page(site)
        frame = page.frames[1]
        assert "data-token" not in frame.content()
        asked = page.evaluate(
            """async (origin) => {
                const options = {method: 'POST', headers: {'x-sheet-token': 'x'}};
                try { return await (await fetch(origin + '/secret', options)).text(); }
                catch (error) { return 'refused'; }
            }""",
            at.origin,
        )
        assert asked == "refused"
        page.locator("a").click()
        expect(page.locator("h1")).to_have_text("ここには何もありません")
    mine = visit().page(at.address)
    expect(mine.locator("h1")).to_contain_text("Proself メール設定シート")
    mine.close()
    assert at.result.result(20) == 0


def test_a_file_works_by_itself(tmp_path: Path, visit: Visit) -> None:
    visitor = visit(permissions=CLIPBOARD)
    page = visitor.page(written(tmp_path))
    assert page.locator(REVEAL).count() == 0
    assert page.locator('[data-copy="mail_server.client_secret"]').count() == 0
    assert copied(visitor, page, "mail_server.client_id") == CLIENT
    page = visitor.page(written(tmp_path, secret=True))
    expect(page.locator(SECRET)).to_have_text(MASK)
    assert copied(visitor, page, "mail_server.client_secret") == VALUE
    assert visitor.complaints == []


def test_one_to_look_at_alone_covers_a_secret_that_it_has_not(tmp_path: Path, visit: Visit) -> None:
    path = tmp_path / "sheet.html"
    path.write_text(sheet_page.covered(sheet_of()).html, encoding="utf-8")
    assert VALUE not in path.read_text(encoding="utf-8")
    visitor = visit()
    page = visitor.page(path.as_uri())
    expect(page.locator(SECRET)).to_have_text(MASK)
    expect(page.locator(REVEAL)).to_be_visible()
    assert visitor.complaints == []
