"""Which redirect URIs an application may carry."""

import httpx
import pytest

from tests.emulator.objects import created, make_application, message, refused

MINE = "AzureADMyOrg"
PERSONAL = "AzureADandPersonalMicrosoftAccount"
LONGEST = "https://a.example/".ljust(256, "x")


def post(graph: httpx.Client, platform: str, *uris: str, audience: str = MINE) -> httpx.Response:
    body = {"displayName": "x", "signInAudience": audience, platform: {"redirectUris": uris}}
    return graph.post("/v1.0/applications", json=body)


@pytest.mark.parametrize(
    ("platform", "uri"),
    [
        ("web", "https://proself.example.jp/proself/oauth2callback/smtp"),
        ("web", "https://proself.example.jp:8443/proself/oauth2callback/smtp"),
        ("web", "https://proself/proself/oauth2callback/smtp"),
        ("web", "https://192.0.2.1/x"),
        ("web", "https://[2001:db8::1]/x"),
        ("web", "https://127.0.0.1"),
        ("web", "http://localhost"),
        ("web", "http://localhost:8400/x"),
        ("web", "http://127.0.0.1:5000/x"),
        ("web", "HTTPS://A.example/X"),
        ("web", "https://a.example/?a=b&c=d"),
        ("web", "https://*.a.example/"),
        ("web", "urn:ietf:wg:oauth:2.0:oob"),
        ("web", "ms-appx-web://microsoft.aad.brokerplugin/x"),
        ("web", LONGEST),
        ("spa", "https://a.example"),
        ("spa", "http://localhost:20587/x"),
        ("publicClient", "http://localhost"),
        ("publicClient", "urn:ietf:wg:oauth:2.0:oob"),
        ("publicClient", "msal5d5e0a8e://auth"),
    ],
)
def test_what_may_be_one(graph: httpx.Client, platform: str, uri: str) -> None:
    made = created(post(graph, platform, uri))
    assert made[platform]["redirectUris"] == [uri]


@pytest.mark.parametrize(
    ("platform", "uri"),
    [
        ("web", "not a uri"),
        ("web", ""),
        ("web", "/proself"),
        ("web", "proself.example.jp/x"),
        ("web", "https://"),
        ("web", "https:///x"),
        ("web", "https://[x"),
        ("web", "https://a.example:port/"),
        ("web", "https://a.example:99999/"),
        ("web", "https://a.example/a b"),
        ("web", "https://a.example/\n"),
        ("web", "http://host"),
        ("web", "http://localhost.example/"),
        ("web", "http://192.0.2.1/"),
        ("web", "http://[::1]/"),
        ("web", "https://[::1]/"),
        ("web", "https://a.example/#f"),
        ("web", "https://a.example/#"),
        ("web", "https://例え.example/"),
        ("web", f"{LONGEST}x"),
        ("web", "ftp://a.example/"),
        ("web", "msal5d5e0a8e://auth"),
        *(("web", f"https://a.example/{character}") for character in "!$'(),;"),
        ("spa", "http://host"),
        ("spa", "urn:ietf:wg:oauth:2.0:oob"),
        ("publicClient", "not a uri"),
        ("publicClient", "http://host"),
    ],
)
def test_what_may_not(graph: httpx.Client, platform: str, uri: str) -> None:
    response = post(graph, platform, "https://a.example/", uri)
    assert refused(response) == (400, "Request_BadRequest")
    assert message(response) == (
        f"Invalid value specified for property '{platform}' of resource 'Application'."
    )


@pytest.mark.parametrize("uri", ["https://a.example/?a=b", "https://*.a.example/"])
def test_personal_accounts_take_less(graph: httpx.Client, uri: str) -> None:
    assert refused(post(graph, "web", uri, audience=PERSONAL))[0] == 400
    url = f"/v1.0/applications/{created(post(graph, 'web', uri))['id']}"
    assert refused(graph.patch(url, json={"signInAudience": PERSONAL}))[0] == 400
    assert graph.get(url).json()["signInAudience"] == MINE


def test_punycode_is_told_apart(graph: httpx.Client) -> None:
    response = post(graph, "web", "https://www.xn--r8jz45g.example/")
    assert refused(response) == (400, "PunycodeNotAllowedInUrlMessage")
    assert message(response) == "Reply url contains punycode."


@pytest.mark.parametrize(("audience", "most"), [(MINE, 256), (PERSONAL, 100)])
def test_how_many_in_all(graph: httpx.Client, audience: str, most: int) -> None:
    uris = [f"https://a.example/{number}" for number in range(most - 1)]
    body = {
        "displayName": "x",
        "signInAudience": audience,
        "web": {"redirectUris": uris},
        "spa": {"redirectUris": ["https://a.example/spa"]},
    }
    url = f"/v1.0/applications/{created(graph.post('/v1.0/applications', json=body))['id']}"
    one_more = {"publicClient": {"redirectUris": ["http://localhost"]}}
    assert refused(graph.patch(url, json=one_more)) == (400, "Request_BadRequest")
    assert graph.get(url).json()["publicClient"]["redirectUris"] == []


def test_a_change_is_checked_as_well(graph: httpx.Client) -> None:
    made = make_application(graph, web={"redirectUris": ["https://a.example/"]})
    url = f"/v1.0/applications/{made['id']}"
    change = {"web": {"redirectUris": ["https://a.example/", "http://host"]}}
    assert refused(graph.patch(url, json=change)) == (400, "Request_BadRequest")
    assert graph.get(url).json()["web"]["redirectUris"] == ["https://a.example/"]
