"""What a provider's own settings do to its connections: certificates, proxies, plain http, keys; and how they end."""

from __future__ import annotations

import asyncio
import base64
import datetime
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.providers.rawserver import GOOD, STREAM_HEAD, RawServer, chunk, reply, serving, sockets_to
from tests.wire import HELLO, Outcome, outcome
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.errors import AuthenticationFailed, PolicyRefused, ProviderTimeout, ProviderUnavailable, VPAError
from vpa_desktop.messages import TextDelta
from vpa_desktop.providers import build_provider
from vpa_desktop.providers._failures import Peer
from vpa_desktop.providers._http import HttpSession
from vpa_desktop.providers._options import LOCAL_TOTAL_S, TOTAL_S, Options
from vpa_desktop.providers._route import check_address, proxy_for
from vpa_desktop.providers._tls import tls_context

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXIES, *(name.upper() for name in PROXIES), "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)


def config(url: str, **options: Any) -> LLMProviderConfig:
    return LLMProviderConfig(
        "openai_compatible", "m", **{"api_endpoint": url, "api_key": "sk-none", "timeout": 5.0, **options}
    )


async def ask(http: HttpSession, url: str, **options: Any) -> Outcome:
    return await outcome(build_provider(config(url, **options), http))


def peer(url: str, **options: Any) -> Peer:
    return Peer("p", "P", "m", url, True, 5.0, "k", Options.of(config(url, **options)))


def test_an_answer_has_an_end_also_where_nothing_is_set() -> None:
    assert Options.of(config("https://provider.test")).total_s == TOTAL_S
    assert Options.of(config("http://127.0.0.1:8000")).total_s == LOCAL_TOTAL_S
    assert Options.of(config("https://provider.test", total_timeout=7.0)).total_s == 7.0


# Certificates


@pytest.fixture
def authority(tmp_path: Path) -> trustme.CA:
    made = trustme.CA()
    made.cert_pem.write_to_path(tmp_path / "ca.pem")
    return made


def speaking(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


async def test_the_providers_own_certificate_file_is_trusted_for_it_alone(
    http: HttpSession, authority: trustme.CA, tmp_path: Path
) -> None:
    async with serving(GOOD, context=speaking(authority.issue_cert("127.0.0.1"))) as server:
        assert (await ask(http, server.url, ca_file=str(tmp_path / "ca.pem"))).text == "Hello"
        other = await ask(http, server.url)
    assert isinstance(other.error, ProviderUnavailable)
    assert "certificate file in Settings, Providers" in other.error.next_step


def test_there_is_one_context_for_each_set_of_certificates(authority: trustme.CA, tmp_path: Path) -> None:
    own = str(tmp_path / "ca.pem")
    assert tls_context() is tls_context()
    assert tls_context(own) is tls_context(own)
    assert tls_context(own) is not tls_context()


NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)


@pytest.mark.parametrize(
    ("options", "words", "step"),
    [
        ({"name": "elsewhere.test"}, "made for another name", "endpoint"),
        ({"not_before": NOW - 9 * DAY, "not_after": NOW - DAY}, "has expired", "clock"),
        ({"not_before": NOW + DAY, "not_after": NOW + 9 * DAY}, "not valid yet", "clock"),
    ],
)
async def test_each_fault_of_a_certificate_has_its_own_words(
    http: HttpSession, authority: trustme.CA, tmp_path: Path, options: dict[str, Any], words: str, step: str
) -> None:
    certificate = authority.issue_cert(options.pop("name", "127.0.0.1"), **options)
    async with serving(GOOD, context=speaking(certificate)) as server:
        seen = await ask(http, server.url, ca_file=str(tmp_path / "ca.pem"))
        assert not server.requests
        assert await sockets_to(server.url) == 0
    assert isinstance(seen.error, ProviderUnavailable)
    assert not seen.error.retryable
    assert words in seen.error.why
    assert step in seen.error.next_step


async def test_a_certificate_that_signed_itself_is_told_apart(
    http: HttpSession, authority: trustme.CA, tmp_path: Path
) -> None:
    authority.private_key_pem.write_to_path(tmp_path / "key.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "ca.pem", tmp_path / "key.pem")
    async with serving(GOOD, context=context) as server:
        seen = await ask(http, server.url)
    assert isinstance(seen.error, ProviderUnavailable)
    assert "the server's own authority" in seen.error.why


@pytest.mark.parametrize(("content", "words"), [(None, "cannot be read"), ("no certificate", "holds no certificate")])
@pytest.mark.parametrize("environment", [False, True])
async def test_a_certificate_file_that_cannot_be_used_is_named(
    http: HttpSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: str | None,
    words: str,
    environment: bool,
) -> None:
    path = tmp_path / "mine.pem"
    if content is not None:
        path.write_text(content)
    if environment:
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
    seen = await ask(http, "https://127.0.0.1:9", ca_file=None if environment else str(path))
    assert isinstance(seen.error, ProviderUnavailable)
    assert words in seen.error.why
    assert ("SSL_CERT_FILE" if environment else str(path)) in seen.error.why


async def test_tls_to_a_plain_port_says_so(http: HttpSession) -> None:
    async def answers_anything(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    listening = await asyncio.start_server(answers_anything, "127.0.0.1", 0)
    seen = await ask(http, f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
    listening.close()
    assert isinstance(seen.error, ProviderUnavailable)
    assert "does not speak TLS" in seen.error.why
    assert "http://" in seen.error.next_step


async def test_plain_http_to_a_tls_port_says_so(http: HttpSession, authority: trustme.CA) -> None:
    async with serving(GOOD, context=speaking(authority.issue_cert("127.0.0.1"))) as server:
        seen = await ask(http, server.url.replace("https", "http"))
    assert seen.error is not None
    assert "perhaps it wants https://" in seen.error.why


# Proxies


async def test_the_providers_own_proxy_is_asked_and_not_the_environments(
    http: HttpSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    async with serving(reply("403 Forbidden", "text/plain", b"")) as proxy:
        seen = await ask(http, "https://provider.test/v1", proxy=proxy.url)
        assert proxy.requests[0].startswith("CONNECT provider.test:443")
        assert await sockets_to(proxy.url) == 0
    assert isinstance(seen.error, ProviderUnavailable)
    assert "403" in seen.error.why


async def test_a_proxy_that_asks_for_a_password_says_where_to_put_it(http: HttpSession) -> None:
    wanted = reply("407 Proxy Authentication Required", "text/html", b"", 'proxy-authenticate: Basic realm="x"')
    async with serving(wanted) as proxy:
        seen = await ask(http, "https://provider.test/v1", proxy=proxy.url)
    assert isinstance(seen.error, ProviderUnavailable)
    assert seen.error.error_class == "network"
    assert not seen.error.retryable
    assert "asks for a user name and password" in seen.error.why
    assert "HTTPS_PROXY=http://name:password@" in seen.error.next_step


@pytest.mark.parametrize("scheme", ["https", "http"])
async def test_a_password_in_the_environment_reaches_the_proxy_and_nobody_else(
    http: HttpSession, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    async with serving(reply("403 Forbidden", "text/plain", b"")) as proxy:
        monkeypatch.setenv(f"{scheme}_proxy", proxy.url.replace("://", "://me:secret%20word@"))
        seen = await ask(http, f"{scheme}://provider.test/v1", allow_plain_http=True)
        given = f"proxy-authorization: basic {base64.b64encode(b'me:secret word').decode()}".lower()
        assert given in proxy.requests[0].lower()
        assert ("sk-none" in proxy.requests[0]) is (scheme == "http")  # the person allowed it to be read on the way
    assert "secret" not in str(seen.error)


@pytest.mark.parametrize(
    ("proxy", "kind", "words"),
    [
        ("http://me:secret-word@proxy.test:1", PolicyRefused, "HTTPS_PROXY"),
        ("socks5://proxy.test:1080", ProviderUnavailable, "(socks5)"),
        ("http://", ProviderUnavailable, "not an address"),
        ("http://[::1", ProviderUnavailable, "not an address"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_refused_in_words(proxy: str, kind: type[VPAError], words: str) -> None:
    with pytest.raises(kind) as caught:
        proxy_for(peer("https://provider.test", proxy=proxy), "https://provider.test/v1")
    assert words in str(caught.value)
    assert "secret-word" not in str(caught.value)


def test_which_proxy_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "proxy.test:3128")
    monkeypatch.setenv("no_proxy", "inside.test")
    there, inside, here = "https://provider.test/v1", "https://inside.test/v1", "http://127.0.0.1:1"
    assert proxy_for(peer(there), there) == "http://proxy.test:3128"
    assert proxy_for(peer(inside), inside) == ""
    assert proxy_for(peer(there, proxy=""), there) == ""
    assert proxy_for(peer(here, proxy="http://proxy.test:1"), here) == ""


# Addresses and keys


def test_plain_http_is_allowed_for_one_provider_and_never_offline() -> None:
    url = "http://192.168.1.5:8000/v1"
    allowed = peer(url, allow_plain_http=True)
    check_address(allowed, url, offline=False)
    with pytest.raises(PolicyRefused) as refused:
        check_address(peer(url), url, offline=False)
    assert refused.value.rule == "plain_http"
    with pytest.raises(PolicyRefused) as offline:
        check_address(allowed, url, offline=True)
    assert offline.value.rule == "offline"


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ('"sk-1"', "quotation marks"),
        ("“sk-1”", "quotation marks"),
        ("sk-1\nX-Evil: 1", "line break"),
        ("sk-1 ", "space"),
        ("sk-ключ", "a character in it"),
    ],
)
@pytest.mark.parametrize("kind", ["openai_compatible", "anthropic"])
async def test_a_key_that_was_pasted_wrong_is_not_sent(http: HttpSession, kind: str, key: str, words: str) -> None:
    async with serving(GOOD) as server:
        seen = await outcome(build_provider(LLMProviderConfig(kind, "m", api_key=key, api_endpoint=server.url), http))
        assert not server.requests
    assert isinstance(seen.error, AuthenticationFailed)
    assert words in seen.error.why
    assert key not in str(seen.error)
    assert "Settings, Keys" in seen.error.next_step


@pytest.mark.parametrize("version", ["2023-06-01\nx-evil: 1", "2023–06–01"])
async def test_a_version_that_cannot_be_a_header_is_refused(http: HttpSession, version: str) -> None:
    async with serving(GOOD) as server:
        wrong = LLMProviderConfig("anthropic", "m", api_key="k", api_endpoint=server.url, api_version=version)
        with pytest.raises(PolicyRefused) as caught:
            await outcome(build_provider(wrong, http))
        assert not server.requests
    assert "anthropic-version" in caught.value.why


@pytest.mark.parametrize(
    "url", ["https://exa mple.test/v1", "https://a\x00b.test", "https://[v1.x]", "https://.", "https://xn--é"]
)
async def test_an_endpoint_that_no_request_can_go_to_is_an_error_in_words(http: HttpSession, url: str) -> None:
    with pytest.raises(PolicyRefused) as caught:
        await ask(http, url)
    assert caught.value.rule == "endpoint"
    assert "Settings, Providers" in caught.value.next_step


# Time, and the end


async def test_a_host_that_does_not_accept_a_connection_is_given_up_within_its_time(http: HttpSession) -> None:
    with socket.socket() as full:  # its queue is full, so that the next connection waits
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        seen = await asyncio.wait_for(ask(http, f"http://127.0.0.1:{full.getsockname()[1]}", connect_timeout=0.2), 2)
        for one in waiting:
            one.close()
    assert isinstance(seen.error, ProviderTimeout)
    assert "0.2 s" in seen.error.why


async def test_a_list_that_drips_ends_within_the_time_of_a_first_token(http: HttpSession) -> None:
    async def drip(server: RawServer, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")
        while not server.hung_up.is_set():
            writer.write(b" ")
            await asyncio.sleep(0.05)

    async with serving(drip) as server:
        with pytest.raises(ProviderTimeout):
            await asyncio.wait_for(build_provider(config(server.url, timeout=0.3), http).connect(), 2)


async def test_closing_the_session_leaves_no_socket_not_even_of_an_open_stream() -> None:
    async def endless(server: RawServer, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM_HEAD + chunk("Hello"))
        await server.hung_up.wait()

    answer = b'{"choices":[{"message":{"content":"A"},"finish_reason":"stop"}]}'
    session = HttpSession()
    async with serving(endless) as streaming, serving(reply("200 OK", "application/json", answer)) as whole:
        await build_provider(config(whole.url), session).generate(HELLO)
        stream = build_provider(config(streaming.url), session).stream(HELLO)
        assert await anext(stream) == TextDelta("Hello")
        await session.aclose()
        assert await sockets_to(streaming.url) == 0
        assert await sockets_to(whole.url) == 0
        await stream.aclose()
        await session.aclose()
