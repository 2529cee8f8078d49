"""Who is let in: this machine's programs with a token, and not more at once than there is room."""

from __future__ import annotations

import asyncio
import json
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.gateway.faults import END, ROLE, late, stream, then_silence
from tests.providers.rawserver import STREAM_HEAD, chunk, serving
from tests.serve.house import open_house, settings_of, until_error
from vpa_desktop.errors import UsageError, VPAError
from vpa_desktop.serve import endpoint, replies
from vpa_desktop.serve.listening import Connection, open_socket
from vpa_desktop.serve.tokens import TokenFile

ASK: dict[str, Any] = {"messages": [{"role": "user", "content": "Count"}]}
GOOD = stream(["one"])


async def test_health_says_nothing_but_ok_and_needs_no_token(vpa_home: Path) -> None:
    async with serving(GOOD) as a, open_house(vpa_home, settings_of(a)) as house:
        assert await house.ask(None, method="GET", path="/health", authorization="") == (
            200,
            (await house.ask(None, method="GET", path="/health"))[1],
            {"status": "ok"},
        )


@pytest.mark.parametrize("token", ["", "Bearer wrong", "Bearer ", "Basic dXNlcjpwYXNz", "Bearer vpa-\xe9"])
async def test_without_the_token_nothing_is_asked(vpa_home: Path, token: str) -> None:
    async with serving(GOOD) as a, open_house(vpa_home, settings_of(a)) as house:
        status, headers, body = await house.ask(ASK, authorization=token)
        assert (status, body["error"]["code"]) == (401, "invalid_api_key")
        assert headers["www-authenticate"] == "Bearer"
        assert (await house.ask(None, method="GET", path="/v1/models", authorization=token))[0] == 401
        assert a.requests == []
    with pytest.raises(openai.AuthenticationError):
        async with serving(GOOD) as a, open_house(vpa_home, settings_of(a)) as house:
            await house.client.with_options(api_key="wrong").models.list()


async def test_wrong_tokens_are_counted_in_the_audit_not_written_one_by_one(vpa_home: Path) -> None:
    async with serving(GOOD) as a, open_house(vpa_home, settings_of(a)) as house:
        for _ in range(20):
            await house.ask(ASK, authorization="Bearer wrong")
        await house.endpoint.trail.aclose()
        entries = await house.audit(2)
        assert [entry.facts["count"] for entry in entries] == [1, 19]
        assert (await house.ask(ASK))[0] == 200  # and the trail goes on


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"host": "rebound.example"}, "host_not_allowed"),
        ({"host": "127.0.0.1.rebound.example:8642"}, "host_not_allowed"),
        ({"host": "localhost@rebound.example"}, "host_not_allowed"),
        ({"host": "0.0.0.0:8642"}, "host_not_allowed"),
        ({"host": ""}, "host_not_allowed"),
        ({"origin": "https://page.example"}, "origin_not_allowed"),
        ({"origin": "http://localhost:3000"}, "origin_not_allowed"),
        ({"origin": "null"}, "origin_not_allowed"),
        ({"sec-fetch-site": "cross-site"}, "origin_not_allowed"),
    ],
)
async def test_a_web_page_is_refused_though_it_has_the_token(
    vpa_home: Path, headers: dict[str, str], code: str
) -> None:
    async with serving(GOOD) as a, open_house(vpa_home, settings_of(a)) as house:
        for method, path in (("POST", "/v1/chat/completions"), ("GET", "/health"), ("OPTIONS", "/v1/models")):
            status, answered, body = await house.ask(ASK, method=method, path=path, **headers)
            assert (status, body["error"]["code"]) == (403, code)
            assert not [name for name in answered if name.startswith("access-control")]
        assert a.requests == []


async def test_every_name_of_this_machine_is_let_in(vpa_home: Path) -> None:
    async with serving(GOOD) as a, open_house(vpa_home, settings_of(a)) as house:
        for host in ("localhost", "localhost:9000", "127.0.0.1", "[::1]:8642", "LOCALHOST:1"):
            assert (await house.ask(ASK, host=host))[0] == 200, host


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"content_type": "text/plain"}, 415, "unsupported_media_type"),
        ({"content_type": "application/x-www-form-urlencoded"}, 415, "unsupported_media_type"),
        ({"path": "/v1/embeddings"}, 404, "unknown_url"),
        ({"path": "/v1/chat/completions/"}, 404, "unknown_url"),
        ({"method": "PUT"}, 405, "method_not_supported"),
        ({"x_vpa_priority": "urgent"}, 400, "invalid_value"),
    ],
)
async def test_other_requests_are_refused_in_the_same_shape(
    vpa_home: Path, change: dict[str, str], status: int, code: str
) -> None:
    async with serving(GOOD) as a, open_house(vpa_home, settings_of(a)) as house:
        found, _, body = await house.ask(ASK, **change)
        assert (found, body["error"]["code"]) == (status, code)
        assert a.requests == []


async def test_a_body_that_is_too_large_is_refused_announced_or_not(vpa_home: Path) -> None:
    async with serving(GOOD) as a, open_house(vpa_home, settings_of(a)) as house:
        house.endpoint.room.body_max_bytes = 1_000
        status, _, body = await house.ask({**ASK, "user": "x" * 2_000})
        assert (status, body["error"]["code"]) == (413, "request_too_large")
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {house.token}\r\n"
        head += "content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
        piece = b"200\r\n" + b" " * 512 + b"\r\n"
        answer = await house.raw(head.encode() + piece * 3)
        assert answer.startswith(b"HTTP/1.1 413")
        await house.must_be_empty()
        assert a.requests == []


@pytest.mark.alone
async def test_a_body_or_a_head_that_does_not_come_ends_the_connection(
    vpa_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Connection, "head_within_s", 0.2)
    async with serving(GOOD) as a, open_house(vpa_home, settings_of(a)) as house:
        house.endpoint.room.body_within_s = 0.2
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {house.token}\r\n"
        slow = await house.raw(head.encode() + b"content-type: application/json\r\ncontent-length: 50\r\n\r\n{")
        assert slow.startswith(b"HTTP/1.1 408")
        for begun in (b"", b"GET /health HTTP/1.1\r\nhost: loc"):
            started = time.perf_counter()
            with suppress(ConnectionResetError):
                assert await house.raw(begun) == b""
            assert time.perf_counter() - started < 2
        assert a.requests == []


async def test_a_head_without_end_is_cut_off(vpa_home: Path) -> None:
    async with serving(GOOD) as a, open_house(vpa_home, settings_of(a)) as house:
        endless = b"GET /health HTTP/1.1\r\nhost: localhost\r\n" + b"x-filler: " + b"y" * 200_000
        with suppress(ConnectionError):
            assert await house.raw(endless) == b""
        assert (await house.ask(None, method="GET", path="/health"))[0] == 200


async def test_a_stray_line_after_the_body_does_not_end_the_answer(
    vpa_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Connection, "head_within_s", 0.1)
    slow = late(STREAM_HEAD + ROLE + chunk("one ") + END, 0.5)
    async with serving(slow) as a, open_house(vpa_home, settings_of(a)) as house:
        body = json.dumps(ASK).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {house.token}\r\n"
        head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        with suppress(ConnectionResetError):
            reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
            writer.write(head.encode() + body)
            await asyncio.sleep(0.1)
            writer.write(b"\r\n")
            assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
            writer.close()


async def test_a_client_that_takes_nothing_does_not_hold_its_place(
    vpa_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replies, "STUCK_S", 0.3)
    monkeypatch.setattr(endpoint, "GONE_WITHIN_S", 0.1)
    async with serving(stream(["x" * 200_000] * 100)) as a, open_house(vpa_home, settings_of(a)) as house:
        body = json.dumps({**ASK, "stream": True}).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {house.token}\r\n"
        head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        _, writer = await asyncio.open_connection("127.0.0.1", house.port, limit=1_000)
        writer.write(head.encode() + body)
        entry = (await house.audit())[0]
        assert entry.result == "cancelled"
        await house.must_be_empty()
        writer.transport.abort()


async def test_more_at_once_than_there_is_room_for_are_asked_to_come_back(vpa_home: Path) -> None:
    async with (
        serving(then_silence(STREAM_HEAD + ROLE + chunk("one "))) as a,
        open_house(vpa_home, settings_of(a)) as house,
    ):
        house.endpoint.room.at_once_max = 1
        messages: list[Any] = ASK["messages"]
        first = await house.client.chat.completions.create(model="auto", messages=messages, stream=True)
        await anext(aiter(first))
        status, headers, body = await house.ask(ASK)
        assert (status, body["error"]["code"], headers["retry-after"]) == (429, "too_many_requests", "1")
        await first.close()
        await house.must_be_empty()
        assert (await house.ask(None, method="GET", path="/v1/models"))[0] == 200


async def test_a_token_has_an_owner_and_another_one_counts_at_once(vpa_home: Path) -> None:
    async with serving(GOOD) as a, open_house(vpa_home, settings_of(a)) as house:
        anna = house.tokens.renew("anna")
        assert (await house.ask(ASK, authorization=f"Bearer {anna}", x_vpa_priority="background"))[0] == 200
        assert (await house.audit())[0].facts["user"] == "anna"
        elsewhere = TokenFile(vpa_home / "serve-tokens")
        fresh = elsewhere.renew()
        assert (await house.ask(ASK))[0] == 401
        assert (await house.ask(ASK, authorization=f"Bearer {fresh}"))[0] == 200
        assert (await house.ask(ASK, authorization=f"Bearer {anna}"))[0] == 200
        (vpa_home / "serve-tokens").unlink()
        assert (await house.ask(ASK, authorization=f"Bearer {fresh}"))[0] == 401


def test_the_file_of_tokens_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "home" / "serve-tokens"
    token = TokenFile(path).token_of()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    assert TokenFile(path).owner_of(token) == "local"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert TokenFile(path).token_of() == token
    assert len(token) > 40
    with pytest.raises(UsageError):
        TokenFile(path).renew("two words")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", "localhost.example", ""])
def test_no_other_address_is_listened_on(host: str) -> None:
    with pytest.raises(UsageError, match="this machine only"):
        open_socket(host, 0)


def test_a_port_in_use_is_said() -> None:
    with open_socket("localhost", 0) as first:
        first.listen()
        port = first.getsockname()[1]
        with pytest.raises(VPAError, match=f"Port {port} is in use") as caught:
            open_socket("127.0.0.1", port)
        assert caught.value.exit_code == 1


async def test_no_key_and_no_path_is_in_an_error(vpa_home: Path) -> None:
    key = "sk-live-" + "Z9y8X7w6" * 5
    said = {"error": {"message": f"bad key {key} in /home/anna/keys/openai.txt", "type": "x", "code": None}}
    text = json.dumps(said).encode()
    answer = b"HTTP/1.1 500 X\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(text), text)
    async with serving(answer) as a, open_house(vpa_home, settings_of(a)) as house:
        _, _, body = await house.ask(ASK)
    assert key not in json.dumps(body)
    assert "anna" not in json.dumps(body)


@pytest.mark.alone
async def test_closing_lets_streams_go_on_for_a_moment_and_then_says_so(vpa_home: Path) -> None:
    messages: list[Any] = ASK["messages"]
    async with (
        serving(then_silence(STREAM_HEAD + ROLE + chunk("one "))) as a,
        open_house(vpa_home, settings_of(a)) as house,
    ):
        answer = await house.client.chat.completions.create(model="auto", messages=messages, stream=True)
        reading = asyncio.create_task(until_error(answer))
        await asyncio.sleep(0.1)
        started = time.perf_counter()
        house.listener.stop()
        text, error = await asyncio.wait_for(reading, 5)
        assert (text, "being closed" in str(error)) == ("one ", True)
        assert 0.2 < time.perf_counter() - started < 2
        assert a.hung_up.is_set()
