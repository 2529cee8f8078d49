"""How far the clock is off, from the date of a server's answer; nothing but the head is read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from tests.providers.rawserver import serving
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.errors import BadReply, ProviderUnavailable
from vpa_desktop.providers._http import HttpSession
from vpa_desktop.providers.remote_clock import RemoteTime, remote_time


@asynccontextmanager
async def session() -> AsyncIterator[HttpSession]:
    http = HttpSession()
    try:
        yield http
    finally:
        await http.aclose()


def answer(date: str, status: str = "404 Not Found") -> bytes:
    return f"HTTP/1.1 {status}\r\n{date}content-length: 0\r\nconnection: close\r\n\r\n".encode()


async def ask(url: str) -> RemoteTime:
    async with session() as http:
        config = LLMProviderConfig("openai_compatible", "m", api_key="sk-secret", provider_id="p", api_endpoint=url)
        return await remote_time(config, http)


async def test_the_date_of_any_answer_counts_and_no_key_goes_along() -> None:
    async with serving(answer("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n")) as server:
        found = await ask(f"{server.url}/v1")
    assert found.ahead > timedelta(days=10_000)
    assert found.host == server.url.removeprefix("http://")
    assert "sk-secret" not in server.requests[0]
    assert server.bodies == [None]


@pytest.mark.parametrize("date", ["", "Date: soon\r\n"])
async def test_an_answer_without_a_date_is_a_sentence(date: str) -> None:
    async with serving(answer(date)) as server:
        with pytest.raises(BadReply, match="did not say what time it is"):
            await ask(f"{server.url}/v1")


async def test_nobody_there_is_a_sentence() -> None:
    async with serving(answer("")) as server:
        pass
    with pytest.raises(ProviderUnavailable):
        await ask(f"{server.url}/v1")
