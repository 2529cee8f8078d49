"""Connections that go wrong: each gets its error and its sentences, keys stay here, and nothing grows without bound."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import tracemalloc
from contextlib import aclosing
from pathlib import Path

import pytest
import trustme

from tests.providers.rawserver import GOOD, STREAM_HEAD, RawServer, chunk, reply, serving
from tests.wire import HELLO, outcome
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.errors import (
    AuthenticationFailed,
    BadReply,
    PolicyRefused,
    ProviderTimeout,
    ProviderUnavailable,
    RequestRejected,
    StreamInterrupted,
)
from vpa_desktop.messages import LLMRequest, Message, StreamDone, TextDelta
from vpa_desktop.providers import build_provider
from vpa_desktop.providers._http import HttpSession
from vpa_desktop.providers.base import BaseLLMProvider

KEY = "sk-not-a-real-key-0123456789"


def provider(http: HttpSession, url: str, kind: str = "openai_compatible", timeout: float = 5) -> BaseLLMProvider:
    return build_provider(LLMProviderConfig(kind, "m", api_key=KEY, api_endpoint=url, timeout=timeout), http)


async def test_a_redirect_is_an_error_and_the_key_stays_here(http: HttpSession) -> None:
    async with serving(GOOD) as target:
        moved = reply("307 Temporary Redirect", "text/plain", b"", f"location: {target.url}/v1/chat/completions")
        async with serving(moved) as server:
            seen = await outcome(provider(http, server.url))
    assert isinstance(seen.error, BadReply)
    assert target.url.removeprefix("http://") in str(seen.error)
    assert not target.requests
    assert len(server.requests) == 1


async def test_a_sign_in_page_is_named_for_what_it_is(http: HttpSession) -> None:
    page = reply("200 OK", "text/html", b"<html><body>Welcome to Hotel WiFi</body></html>")
    async with serving(page) as server:
        seen = await outcome(provider(http, server.url))
        with pytest.raises(BadReply, match="sign-in page"):
            await provider(http, server.url).connect()
    assert isinstance(seen.error, BadReply)
    assert "sign-in page" in str(seen.error)


async def test_html_without_its_header_is_still_html(http: HttpSession) -> None:
    async with serving(reply("200 OK", "text/plain", b"\n<!doctype html><p>hi")) as server:
        seen = await outcome(provider(http, server.url))
    assert "web page" in str(seen.error)


async def test_a_refused_port_says_that_nothing_listens(http: HttpSession) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        seen = await outcome(provider(http, url))
    assert isinstance(seen.error, ProviderUnavailable)
    assert seen.error.error_class == "network"
    assert seen.error.retryable
    assert "Nothing listens at 127.0.0.1" in str(seen.error)


async def test_an_unknown_name_is_said_to_have_no_address(http: HttpSession, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: object, **kwargs: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    seen = await outcome(provider(http, "https://no-such-host.invalid"))
    assert isinstance(seen.error, ProviderUnavailable)
    assert seen.error.error_class == "network"
    assert "There is no address for the name no-such-host.invalid" in str(seen.error)


def tls_server(authority: trustme.CA, host: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)
    return context


async def test_an_untrusted_certificate_is_refused_before_the_key_is_sent(http: HttpSession) -> None:
    async with serving(GOOD, context=tls_server(trustme.CA(), "127.0.0.1")) as server:
        seen = await outcome(provider(http, server.url))
        assert not server.requests
    assert isinstance(seen.error, ProviderUnavailable)
    assert not seen.error.retryable
    assert "certificate" in str(seen.error)


async def test_a_certificate_for_another_host_is_refused(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    session = HttpSession(offline=False, ca_file=str(tmp_path / "ca.pem"))
    async with serving(GOOD, context=tls_server(authority, "elsewhere.test")) as server:
        seen = await outcome(provider(session, server.url))
        assert not server.requests
    await session.aclose()
    assert "certificate" in str(seen.error)


async def test_an_own_certificate_authority_is_trusted_and_no_session_keys_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys.log"))
    session = HttpSession(offline=False)
    async with serving(GOOD, context=tls_server(authority, "127.0.0.1")) as server:
        seen = await outcome(provider(session, server.url))
    await session.aclose()
    assert seen.text == "Hello"
    assert not (tmp_path / "keys.log").exists()


@pytest.mark.parametrize(
    "url", ["http://example.test/v1", "http://192.168.1.5:8000", "http://127.0.0.1.evil.test", "ftp://x", "no address"]
)
async def test_plain_http_is_only_for_this_machine(http: HttpSession, url: str) -> None:
    with pytest.raises(PolicyRefused) as caught:
        await outcome(provider(http, url))
    assert caught.value.next_step


async def test_offline_refuses_all_but_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VPA_OFFLINE", "1")
    session = HttpSession()
    with pytest.raises(PolicyRefused) as caught:
        await outcome(provider(session, "https://api.openai.com/v1"))
    async with serving(GOOD) as server:
        seen = await outcome(provider(session, server.url))
    await session.aclose()
    assert caught.value.rule == "offline"
    assert seen.text == "Hello"


async def test_no_proxy_stands_between_us_and_this_machine(http: HttpSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    async with serving(GOOD) as server:
        assert (await outcome(provider(http, server.url))).text == "Hello"


async def test_elsewhere_the_proxy_of_the_environment_is_asked(
    http: HttpSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(reply("403 Forbidden", "text/plain", b"")) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        seen = await outcome(provider(http, "https://provider.test/v1"))
        assert proxy.requests[0].startswith("CONNECT provider.test:443")
    assert KEY not in proxy.requests[0]
    assert "proxy" in str(seen.error)


async def test_a_proxy_that_cannot_be_used_is_named(http: HttpSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.setenv("all_proxy", "socks://127.0.0.1:1080/")
    seen = await outcome(provider(http, "https://provider.test/v1"))
    assert isinstance(seen.error, ProviderUnavailable)
    assert "socks" in seen.error.why
    assert "HTTPS_PROXY" in seen.error.next_step


@pytest.mark.alone
async def test_closing_the_generator_hangs_up_at_once(http: HttpSession) -> None:
    async def endless(server: RawServer, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM_HEAD + chunk("Hello"))
        await server.hung_up.wait()

    async with serving(endless) as server:
        stream = provider(http, server.url).stream(HELLO)
        assert await anext(stream) == TextDelta("Hello")
        await stream.aclose()
        await asyncio.wait_for(server.hung_up.wait(), 0.2)


@pytest.mark.alone
async def test_cancelling_before_the_first_byte_hangs_up_at_once(http: HttpSession) -> None:
    async def mute(server: RawServer, writer: asyncio.StreamWriter) -> None:
        await server.hung_up.wait()

    async with serving(mute) as server:
        task = asyncio.create_task(outcome(provider(http, server.url)))
        await asyncio.wait_for(server.asked.wait(), 5)
        task.cancel()
        await asyncio.wait_for(server.hung_up.wait(), 0.2)
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("start", [b"", STREAM_HEAD, STREAM_HEAD + chunk("Hello")])
async def test_silence_ends_after_the_time_allowed(http: HttpSession, start: bytes) -> None:
    async def stall(server: RawServer, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        await server.hung_up.wait()

    async with serving(stall) as server:
        seen = await outcome(provider(http, server.url, timeout=0.2))
    assert isinstance(seen.error, ProviderTimeout)
    assert seen.error.midstream is bool(start)
    assert "0.2 s" in str(seen.error)


async def test_comments_keep_a_slow_answer_alive(http: HttpSession) -> None:
    async def thinking(server: RawServer, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM_HEAD)
        for _ in range(8):
            writer.write(b": keep-alive\n\n")
            await asyncio.sleep(0.1)
        writer.write(GOOD.removeprefix(STREAM_HEAD))

    async with serving(thinking) as server:
        assert (await outcome(provider(http, server.url, timeout=0.3))).text == "Hello"


@pytest.mark.parametrize(("drop", "within_s"), [(b"x", 0.8), (b": ping\n\n", 5)])
@pytest.mark.alone
async def test_a_drip_does_not_hold_us_for_ever(http: HttpSession, drop: bytes, within_s: float) -> None:
    async def drip(server: RawServer, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM_HEAD)
        while not server.hung_up.is_set():
            writer.write(drop)
            await asyncio.sleep(0.02)

    async with serving(drip) as server:
        seen = await asyncio.wait_for(outcome(provider(http, server.url, timeout=0.1)), within_s)
    assert isinstance(seen.error, ProviderTimeout)


@pytest.mark.parametrize("status", ["200 OK", "500 Internal Server Error"])
@pytest.mark.parametrize("kind", ["text/event-stream", "application/json"])
async def test_an_endless_body_stays_bounded(http: HttpSession, status: str, kind: str) -> None:
    async def flood(server: RawServer, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\n\r\n".encode())
        while not server.hung_up.is_set():
            writer.write(b"x" * 65536)
            await writer.drain()

    async with serving(flood) as server:
        tracemalloc.start()
        seen = await outcome(provider(http, server.url))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert seen.error is not None
    assert seen.error.error_class == ("malformed" if status.startswith("200") else "server")
    assert peak < 48 << 20  # the limit of an answer, twice while it is joined


async def test_a_compressed_answer_is_not_unpacked(http: HttpSession) -> None:
    async with serving(reply("200 OK", "application/json", b"\x1f\x8b", "content-encoding: gzip")) as server:
        seen = await outcome(provider(http, server.url))
        assert "accept-encoding: identity" in server.requests[0].lower()
    assert isinstance(seen.error, BadReply)


async def test_an_event_that_is_not_json_is_a_bad_reply_and_the_text_before_it_is_kept(http: HttpSession) -> None:
    async with serving(STREAM_HEAD + chunk("Hello") + b"data: {broken\n\n" + chunk("", "stop")) as server:
        seen = await outcome(provider(http, server.url))
    assert seen.text == "Hello"
    assert isinstance(seen.error, BadReply)
    assert seen.error.midstream


async def test_what_is_not_http_is_a_bad_reply(http: HttpSession) -> None:
    async with serving(b"SSH-2.0-OpenSSH_9.2\r\n\r\n") as server:
        seen = await outcome(provider(http, server.url))
    assert isinstance(seen.error, BadReply | ProviderUnavailable)
    assert seen.error.next_step


async def test_done_without_a_finish_reason_is_not_success(http: HttpSession) -> None:
    async with serving(STREAM_HEAD + chunk("Hel") + b"data: [DONE]\n\n") as server:
        seen = await outcome(provider(http, server.url))
    assert isinstance(seen.error, StreamInterrupted)
    assert seen.partial == "Hel"


async def test_a_connection_kept_open_after_the_answer_does_not_hold_it_up(http: HttpSession) -> None:
    async def lingering(server: RawServer, writer: asyncio.StreamWriter) -> None:
        writer.write(GOOD)
        await server.hung_up.wait()

    async with serving(lingering) as server:
        await asyncio.wait_for(provider(http, server.url).generate(HELLO), 1)


@pytest.mark.parametrize(("given", "asked"), [("/v1", "/chat/completions"), ("", "/v1/chat/completions")])
async def test_the_endpoint_works_with_and_without_v1(http: HttpSession, given: str, asked: str) -> None:
    missing = reply("404 Not Found", "text/html", b"<h1>Not Found</h1>")
    async with serving(missing, GOOD) as server:
        chosen = provider(http, server.url + given)
        assert (await outcome(chosen)).text == "Hello"
        assert (await outcome(chosen)).text == "Hello"
    assert len(server.requests) == 3  # the base that answered is remembered
    assert server.requests[0].split()[1] != server.requests[1].split()[1]
    assert {server.requests[0].split()[1], server.requests[1].split()[1]} == {
        "/v1/chat/completions",
        "/chat/completions",
    }
    assert asked in {request.split()[1] for request in server.requests}


async def test_a_wrong_path_names_the_endpoint(http: HttpSession) -> None:
    async with serving(reply("404 Not Found", "text/html", b"<h1>Not Found</h1>")) as server:
        seen = await outcome(provider(http, server.url))
    assert isinstance(seen.error, RequestRejected)
    assert server.url in seen.error.what
    assert "Settings, Providers" in seen.error.next_step


async def test_a_refused_key_says_where_to_check_it_and_never_shows_it(http: HttpSession) -> None:
    body = b'{"error":{"message":"Incorrect API key provided: %s","code":"invalid_api_key"}}' % KEY.encode()
    async with serving(reply("401 Unauthorized", "application/json", body)) as server:
        seen = await outcome(provider(http, server.url, "openai"))
    assert isinstance(seen.error, AuthenticationFailed)
    assert str(seen.error) == (
        "OpenAI refused the key. It answered 401 (invalid_api_key). Check the key in Settings, Keys."
    )
    assert KEY not in repr(seen.error.__dict__)


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
async def test_without_a_key_nothing_is_sent(http: HttpSession, kind: str) -> None:
    seen = await outcome(build_provider(LLMProviderConfig(kind), http))
    assert isinstance(seen.error, AuthenticationFailed)
    assert "There is no key" in str(seen.error)


async def test_a_key_with_a_line_break_is_refused_before_it_is_sent(http: HttpSession) -> None:
    async with serving(GOOD) as server:
        config = LLMProviderConfig("openai", "m", api_key="sk-a\nX-Evil: 1", api_endpoint=server.url)
        seen = await outcome(build_provider(config, http))
        assert not server.requests
    assert isinstance(seen.error, AuthenticationFailed)


async def test_a_refused_field_is_left_out_once_and_remembered(http: HttpSession) -> None:
    body = b'{"error":{"message":"Unsupported value","param":"temperature","code":null}}'
    async with serving(reply("400 Bad Request", "application/json", body), GOOD) as server:
        chosen = provider(http, server.url)
        request = LLMRequest((Message("user", "Hi"),), temperature=0.0)
        await chosen.generate(request)
        await chosen.generate(request)
    assert [("temperature" in sent) for sent in server.bodies] == [True, False, False]


async def test_a_refused_limit_is_sent_under_its_other_name(http: HttpSession) -> None:
    body = b'{"message":{"detail":[{"type":"extra_forbidden","loc":["body","max_completion_tokens"]}]}}'
    async with serving(reply("422 Unprocessable Entity", "application/json", body), GOOD) as server:
        config = LLMProviderConfig("openai", "m", api_key=KEY, api_endpoint=server.url, protocol="chat")
        await build_provider(config, http).generate(LLMRequest((Message("user", "Hi"),), max_tokens=64))
    assert server.bodies[0]["max_completion_tokens"] == 64
    assert server.bodies[1]["max_tokens"] == 64
    assert "max_completion_tokens" not in server.bodies[1]


async def test_no_cookie_is_ever_sent_back(http: HttpSession) -> None:
    head = STREAM_HEAD.replace(b"\r\n\r\n", b"\r\nset-cookie: track=1; path=/\r\n\r\n")
    async with serving(GOOD.replace(STREAM_HEAD, head)) as server:
        chosen = provider(http, server.url)
        await chosen.generate(HELLO)
        await chosen.generate(HELLO)
    assert "cookie:" not in server.requests[1].lower()


async def test_a_kept_connection_that_went_stale_is_replaced(http: HttpSession) -> None:
    good = reply("200 OK", "application/json", b'{"choices":[{"message":{"content":"A"},"finish_reason":"stop"}]}')
    async with serving(good) as server:  # says keep-alive and closes all the same
        chosen = provider(http, server.url)
        for _ in range(5):
            assert (await chosen.generate(HELLO)).content == "A"


async def test_a_new_connection_torn_down_after_the_question_is_not_asked_twice(http: HttpSession) -> None:
    """It may have been answered, and paid for: only a kept connection can have been dead before."""

    async def tear_down(server: RawServer, writer: asyncio.StreamWriter) -> None:
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async with serving(tear_down) as server:
        assert isinstance((await outcome(provider(http, server.url))).error, ProviderUnavailable)
    assert len(server.requests) == 1


async def test_streams_end_with_exactly_one_done(http: HttpSession) -> None:
    async with serving(GOOD) as server, aclosing(provider(http, server.url).stream(HELLO)) as stream:
        events = [event async for event in stream]
    assert [type(event) for event in events] == [TextDelta, StreamDone]


@pytest.mark.parametrize("url", ["http://[::1", "http://127.0.0.1:99999", "https://me:pass-word@127.0.0.1:1/v1"])
async def test_an_endpoint_that_is_no_address_is_refused_before_anything_is_sent(http: HttpSession, url: str) -> None:
    with pytest.raises(PolicyRefused) as caught:
        await outcome(provider(http, url))
    assert caught.value.rule == "endpoint"
    assert "pass-word" not in str(caught.value)
