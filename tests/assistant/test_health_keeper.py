"""What the router has learned lives over a restart, and a dead provider is looked after without a person's question."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.gateway.faults import GOOD, WHOLE, Rig, refusal, rig
from tests.providers.rawserver import reply
from vpa_desktop.assistant.health_keeper import HealthKeeper
from vpa_desktop.config import BreakerSettings
from vpa_desktop.gateway.breaker import FIRST_WAIT_S
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.health import HealthStore

DOWN = refusal("500 Internal Server Error")
MODELS = reply("200 OK", "application/json", b'{"object":"list","data":[{"id":"model-a","object":"model"}]}')


@asynccontextmanager
async def store_in(folder: Path) -> AsyncIterator[HealthStore]:
    db = await Database.open(folder / "vpa.db", backups=folder / "backups")
    try:
        yield HealthStore(db)
    finally:
        await db.aclose()


async def fails_until_open(it: Rig) -> None:
    """Ask until the router leaves provider a alone."""
    while it.manager.breaker("a", "model-a").state == "closed":
        assert (await it.ask()).text == WHOLE


async def test_after_a_restart_a_dead_provider_is_still_left_alone(tmp_path: Path) -> None:
    async with rig([DOWN], breaker=BreakerSettings(3, 300)) as it:
        async with store_in(tmp_path) as store:
            await fails_until_open(it)
            await HealthKeeper(it.manager, store).aclose()
        asked = len(it.a.requests)
        for place in it.manager.standings.places:  # as a new process begins
            it.manager.breaker(*place).success()
        async with store_in(tmp_path) as store:
            await HealthKeeper(it.manager, store).load()
            seen = await it.ask()
            assert seen.text == WHOLE
            assert len(it.a.requests) == asked
            assert seen.response is not None
            assert "left alone" in seen.response.attempts[0].reason
            (event,) = await store.events()
            assert (event.provider, event.model, event.state) == ("a", "model-a", "open")
            assert "a" in event.reason


async def test_an_address_that_changed_is_not_held_to_what_the_old_one_did(tmp_path: Path) -> None:
    async with store_in(tmp_path) as store:
        async with rig([DOWN], breaker=BreakerSettings(1, 300)) as it:
            await fails_until_open(it)
            await HealthKeeper(it.manager, store).aclose()
        async with rig([GOOD]) as it:
            await HealthKeeper(it.manager, store).load()
            seen = await it.ask()
            assert seen.response is not None
            assert seen.response.provider == "a"


async def test_a_wait_the_provider_asked_for_lives_over_a_restart(tmp_path: Path) -> None:
    async with rig([refusal("429 Too Many Requests", None, "retry-after: 60")]) as it:
        async with store_in(tmp_path) as store:
            assert (await it.ask()).text == WHOLE
            await HealthKeeper(it.manager, store).aclose()
            it.manager.cooldowns.forget("a")
            await HealthKeeper(it.manager, store).load()
        assert 50 < it.manager.cooldowns.left_s("a", "model-a") <= 60
        assert (await it.ask()).text == WHOLE
        assert len(it.a.requests) == 1


@pytest.mark.parametrize(("found", "state"), [(MODELS, "half_open"), (DOWN, "open")])
async def test_a_look_before_the_wait_is_over_spends_no_question(found: bytes, state: str) -> None:
    async with rig([DOWN, found, GOOD], breaker=BreakerSettings(1, 300)) as it:
        await fails_until_open(it)
        keeper = HealthKeeper(it.manager, None)
        breaker = it.manager.breaker("a", "model-a")
        await keeper.look()  # too early: nobody is asked
        assert len(it.a.requests) == 1
        breaker.resume(opens_in_s=0.5, down_for_s=FIRST_WAIT_S)
        await keeper.look()
        assert it.a.requests[-1].startswith("GET ")
        assert breaker.state == state
        seen = await it.ask()
        assert seen.response is not None
        assert seen.response.provider == ("a" if found is MODELS else "b")


async def test_one_without_a_list_of_models_is_not_taken_for_dead() -> None:
    async with rig([DOWN, refusal("404 Not Found"), GOOD], breaker=BreakerSettings(1, 300)) as it:
        await fails_until_open(it)
        breaker = it.manager.breaker("a", "model-a")
        breaker.resume(opens_in_s=0.1, down_for_s=FIRST_WAIT_S)
        await HealthKeeper(it.manager, None).look()
        await asyncio.sleep(0.12)
        assert breaker.state == "half_open"
