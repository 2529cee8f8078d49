"""Requests that are made to break the endpoint or to get round its rules: refused in OpenAI's shape, never a 500."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.faults import refusal, stream
from tests.providers.rawserver import serving
from tests.serve.house import House, open_house, settings_of
from tests.serve.test_policy import write_policy
from vpa_desktop.serve.listening import open_socket, url_of

ASK: dict[str, Any] = {"messages": [{"role": "user", "content": "Count"}]}
GOOD = stream(["one"])
POLICY = '[roles.pupil]\nproviders = ["b"]\n[users]\nanna = "pupil"\nmay_choose = true\n'
LIMITS = "[cache]\nenabled = true\n[budget]\ndaily_limit_usd = 5.0\n"


def nested(levels: int) -> dict[str, Any]:
    """A tool whose schema has so many levels."""
    schema: dict[str, Any] = {}
    for _ in range(levels):
        schema = {"a": schema}
    return {"type": "function", "function": {"name": "f", "parameters": schema}}


@pytest.mark.parametrize(
    "fields",
    [
        {"model": "a/\ud800"},
        {"model": "a/x\r\nevil: 1"},
        {"stop": ["\ud800"]},
        {"messages": [{"role": "user", "content": "a\ud800b"}]},
        {"max_tokens": 10**400},
        {"tools": [nested(900)]},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"a": float("nan")}}}]},
    ],
)
async def test_what_cannot_be_sent_on_is_no_fault_of_the_program(vpa_home: Path, fields: dict[str, Any]) -> None:
    async with serving(GOOD) as a, open_house(vpa_home, settings_of(a, more=LIMITS)) as house:
        status, _, body = await house.ask({**ASK, **fields})
        assert status in (200, 400, 402, 502)
        assert status == 200 or body["error"]["code"] != "server_error"
        assert (await house.ask(ASK))[0] == 200


async def test_half_a_pair_is_refused_and_a_pair_is_text(vpa_home: Path) -> None:
    async with serving(GOOD) as a, open_house(vpa_home, settings_of(a)) as house:
        for half in (rb"\ud83d", b"\xed\xa0\xbd"):
            body = b'{"messages": [{"role": "user", "content": "' + half + b'"}]}'
            status, _, document = await house.ask(body)
            assert (status, document["error"]["code"], len(a.requests)) == (400, "invalid_json", 0)
        status, _, _ = await house.ask(json.dumps({"messages": [{"role": "user", "content": "\U0001f600"}]}).encode())
        assert (status, a.bodies[0]["messages"][0]["content"]) == (200, "\U0001f600")


async def test_a_model_that_two_providers_have_is_asked_where_it_may_be(vpa_home: Path) -> None:
    write_policy(vpa_home, POLICY)
    async with serving(GOOD) as a, serving(GOOD) as b, open_house(vpa_home, settings_of(a, b)) as house:
        anna = {"authorization": f"Bearer {house.tokens.renew('anna')}"}
        status, headers, _ = await house.ask({**ASK, "model": "m"}, **anna)
        assert (status, headers["x-vpa-provider"]) == (200, "b")
        for name in ("a", "a/m", "a/other"):
            assert (await house.ask({**ASK, "model": name}, **anna))[0] == 403
            assert (await house.ask(None, method="GET", path=f"/v1/models/{name}", **anna))[0] == 404
        assert (await house.ask(None, method="GET", path="/v1/models/b", **anna))[0] == 200
        assert a.requests == []


async def test_a_rule_or_a_limit_that_is_set_while_it_runs_counts(vpa_home: Path) -> None:
    async with serving(GOOD) as a, serving(GOOD) as b, open_house(vpa_home, settings_of(a, b)) as house:
        house.system.stay_open(0.01)
        assert (await house.ask(ASK))[1]["x-vpa-provider"] == "a"
        (vpa_home / "policy.toml").write_text('[providers]\nallowed = ["b"]\n')
        await _until(house, "b")
        before = len(a.requests)
        assert (await house.ask({**ASK, "model": "a"}))[0] == 403
        assert len(a.requests) == before
        settings = settings_of(a, b, more="[budget]\ndaily_limit_usd = 0.0\n")
        (vpa_home / "settings.toml").write_text(settings)
        await _until(house, "")
        assert (await house.ask(ASK))[0] == 402


async def _until(house: House, provider: str) -> None:
    for _ in range(200):
        if (await house.ask(ASK))[1]["x-vpa-provider"] == provider:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the change did not count")


async def test_the_address_that_is_printed_is_one_that_is_let_in(vpa_home: Path) -> None:
    sock = open_socket("127.0.0.3", 0)
    host = url_of(sock).removeprefix("http://").removesuffix("/v1")
    sock.close()
    async with serving(GOOD) as a, open_house(vpa_home, settings_of(a)) as house:
        assert (await house.ask(ASK, host=host))[0] == 200
        for other in ("127.0.0.3.evil.example", "127.evil.example", "1127.0.0.1", "127.0.0.1@evil.example"):
            assert (await house.ask(ASK, host=other))[0] == 403
        assert len(a.requests) == 1
        assert house.system.paths.serve_tokens.stat().st_mode & 0o777 == 0o600


async def test_a_providers_code_that_is_no_word_is_neither_told_nor_written_down(vpa_home: Path) -> None:
    bad = refusal("400 Bad Request", "\ud800 you asked: Count")
    async with serving(bad) as a, open_house(vpa_home, settings_of(a)) as house:
        status, _, body = await house.ask(ASK)
        assert (status, body["error"]["code"]) == (400, "invalid_request")
        assert [entry.result for entry in await house.audit()] == ["failed: invalid_request"]
