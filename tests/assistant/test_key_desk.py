"""Several keys of one provider as a person has them: set, listed, tested, rotated, deleted, held to their host."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.assistant.test_provider_setup import KEY, Bench
from tests.providers.rawserver import GOOD, RawServer, reply, serving
from vpa_desktop.assistant.keys import environment_keys
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.errors import ConfigError, ProviderError, UsageError
from vpa_desktop.gateway.keypool import KeyPool
from vpa_desktop.messages import LLMRequest, Message
from vpa_desktop.records import KeyInfo, ProviderDraft
from vpa_desktop.security.file_vault import FileVault

SECOND, THIRD = "sk-test-second-fedcba987654", "sk-test-third-0f1e2d3c4b5a"
QUESTION = LLMRequest((Message("user", "Hi"),))
REFUSED = reply("401 Unauthorized", "application/json", b'{"error":{"message":"no","code":"invalid_api_key"}}')


async def bench_of(folder: Path, endpoint: str = "https://api.example/v1", **environ: str) -> Bench:
    bench = Bench(folder, environ)
    bench.file.write_text(
        f'[providers.work]\nkind = "openai_compatible"\nmodel = "m"\napi_endpoint = "{endpoint}"\n'
        '[providers.local]\nkind = "llama_cpp"\nenabled = false\n'
    )
    return bench


async def shown(bench: Bench) -> list[tuple[str, str, str]]:
    return [(k.label, k.hint, k.state) for k in await bench.desk.list_keys() if k.provider == "work"]


def sent(server: RawServer) -> list[str]:
    return [line[-4:] for head in server.requests for line in head.split("\r\n") if line.lower().startswith("authoriz")]


async def test_one_key_is_a_plain_provider_and_two_are_a_pool(tmp_path: Path) -> None:
    bench = await bench_of(tmp_path)
    await bench.desk.set_key("work", KEY)
    plain = bench.manager.get_provider("work")
    assert not isinstance(plain, KeyPool)
    assert plain is not None
    assert plain.key_label == "…cdef"
    await bench.desk.set_key("work", SECOND, "team")
    pool = bench.manager.get_provider("work")
    assert isinstance(pool, KeyPool)
    assert [key.label for key in pool.keys] == ["…cdef", "team"]
    assert pool.config.api_key is None
    await bench.desk.set_key("work", THIRD, "night")
    assert bench.manager.get_provider("work") is pool, "what is known of the others stays"
    assert [k.label for k in pool.keys] == ["…cdef", "team", "night"]
    assert await shown(bench) == [("", "…cdef", "in use"), ("team", "…7654", "in use"), ("night", "…4b5a", "in use")]
    await bench.desk.delete_key("work", "team")
    await bench.desk.delete_key("work", "default")
    assert [k.label for k in await bench.desk.list_keys()] == ["night"]
    assert not isinstance(bench.manager.get_provider("work"), KeyPool)
    await bench.manager.aclose()


async def test_it_must_be_clear_which_key_is_deleted(tmp_path: Path) -> None:
    bench = await bench_of(tmp_path)
    await bench.desk.set_key("work", KEY)
    await bench.desk.set_key("work", SECOND, "team")
    with pytest.raises(UsageError, match="They are default, team"):
        await bench.desk.delete_key("work")
    with pytest.raises(ConfigError, match="no key of work with the name nope"):
        await bench.desk.delete_key("work", "nope")
    assert len(await shown(bench)) == 2
    await bench.desk.delete_key("work", every=True)
    assert await bench.vault.ids() == []
    await bench.manager.aclose()


async def test_removing_the_provider_removes_all_its_keys(tmp_path: Path) -> None:
    bench = await bench_of(tmp_path)
    await bench.desk.set_key("work", KEY)
    await bench.desk.set_key("work", SECOND, "team")
    await bench.setup.remove("work")
    assert await bench.vault.ids() == []
    await bench.manager.aclose()


async def test_the_environment_may_hold_several_keys_and_a_vendors_variable_one(tmp_path: Path) -> None:
    bench = await bench_of(tmp_path, VPA_KEY_WORK=f"{KEY}, {SECOND},,{KEY}")
    assert bench.setup.register_at_once() == []
    assert [(k.source, k.hint) for k in await bench.desk.list_keys()] == [
        ("environment", "…cdef"),
        ("environment", "…7654"),
    ]
    pool = bench.manager.get_provider("work")
    assert isinstance(pool, KeyPool)
    for change in (bench.desk.delete_key("work"), bench.desk.rotate_key("work", THIRD)):
        with pytest.raises(ConfigError, match="environment"):
            await change
    vendor = LLMProviderConfig("openai", provider_id="openai")
    assert [k.key for k in environment_keys(vendor, {"OPENAI_API_KEY": "sk-a,b"})] == ["sk-a,b"]
    await bench.manager.aclose()


async def test_a_refused_key_is_shown_and_asked_again_at_once_when_it_passes_a_test(tmp_path: Path) -> None:
    async with serving(REFUSED, GOOD) as server:
        bench = await bench_of(tmp_path, server.url + "/v1")
        await bench.desk.set_key("work", KEY)
        await bench.desk.set_key("work", SECOND, "team")
        await bench.manager.generate(QUESTION, provider="work")
        first, team = [k for k in await bench.desk.list_keys() if k.provider == "work"]
        assert (first.state, team.state) == ("refused", "in use")
        assert "was refused" in first.reason
        assert first.until is not None
        status = next(s for s in await bench.setup.list_providers() if s.id == "work")
        assert (status.keys, status.keys_refused) == (2, 1)
        verdicts = await bench.desk.test_keys("work")
        assert [(v.key, v.ok) for v in verdicts] == [("…cdef", True), ("team", True)]
        assert [state for *_, state in await shown(bench)] == ["in use", "in use"]
        assert [(row.key_label, row.outcome) for row in await bench.manager.ledger.rows() if row.outcome == "ok"] == [
            ("team", "ok")
        ]
        await bench.manager.aclose()


async def test_a_rotation_is_tested_first_and_keeps_the_old_key_as_a_help(tmp_path: Path) -> None:
    async with serving(REFUSED, GOOD) as server:
        bench = await bench_of(tmp_path, server.url + "/v1")
        await bench.desk.set_key("work", KEY)
        failed = await bench.desk.rotate_key("work", SECOND)
        assert not failed.ok
        assert await shown(bench) == [("", "…cdef", "in use")]
        rotated = await bench.desk.rotate_key("work", f"export MY_KEY='{SECOND}'")
        assert rotated.ok
        assert await shown(bench) == [("", "…7654", "in use"), ("old", "…cdef", "old")]
        before = len(server.requests)
        for _ in range(2):
            await bench.manager.generate(QUESTION, provider="work")
        assert sent(server)[before:] == ["7654", "7654"]
        await bench.manager.aclose()


async def test_an_answer_under_way_ends_with_the_key_it_began_with(tmp_path: Path) -> None:
    may_end = asyncio.Event()

    async def slow(server: RawServer, writer: asyncio.StreamWriter) -> None:
        head, _, rest = GOOD.partition(b"\n\n")
        writer.write(head + b"\n\n")
        await writer.drain()
        await asyncio.wait_for(may_end.wait(), 10)
        writer.write(rest)
        await writer.drain()

    async with serving(slow, GOOD) as server:
        bench = await bench_of(tmp_path, server.url + "/v1")
        await bench.desk.set_key("work", KEY)
        answer = asyncio.create_task(bench.manager.generate(QUESTION, provider="work"))
        await asyncio.wait_for(server.asked.wait(), 5)
        await bench.desk.rotate_key("work", SECOND)
        await bench.desk.delete_key("work", "old")
        assert (await bench.manager.generate(QUESTION, provider="work")).content == "Hello"
        may_end.set()
        assert (await answer).content == "Hello"
        await bench.manager.aclose()


async def test_a_hand_edited_address_does_not_get_the_key(tmp_path: Path) -> None:
    async with serving(GOOD) as elsewhere:
        bench = await bench_of(tmp_path)
        await bench.vault.set("work", KEY)  # as an earlier version left it
        await bench.setup.refresh()
        assert [c.api_key for c in bench.built if c.provider_id == "work"] == [KEY]
        bench.file.write_text(bench.file.read_text().replace("https://api.example/v1", elsewhere.url + "/v1"))
        await bench.setup.refresh()
        assert bench.manager.get_provider("work") is None
        (held,) = [k for k in await bench.desk.list_keys() if k.provider == "work"]
        assert held.state == "held back"
        assert "stored for https://api.example; settings now say http://127.0.0.1" in held.reason
        assert "keys set work" in held.reason
        assert held.reason in [s.note for s in await bench.setup.list_providers()]
        verdicts = await bench.desk.test_keys("work")
        assert [v.ok for v in verdicts] == [False]
        assert elsewhere.requests == []
        await bench.desk.set_key("work", KEY)  # the person confirms
        assert (await bench.manager.generate(QUESTION, provider="work")).content == "Hello"
        assert "work" not in bench.setup.notices
        await bench.manager.aclose()


async def test_the_usual_port_is_no_other_host(tmp_path: Path) -> None:
    bench = await bench_of(tmp_path)
    await bench.desk.set_key("work", KEY)
    bench.file.write_text(bench.file.read_text().replace("api.example/v1", "API.example:443/v2"))
    await bench.setup.refresh()
    assert await shown(bench) == [("", "…cdef", "in use")]
    await bench.manager.aclose()


async def test_an_address_corrected_in_settings_brings_the_key_back(tmp_path: Path) -> None:
    bench = await bench_of(tmp_path)
    await bench.desk.set_key("work", KEY)
    bench.file.write_text(bench.file.read_text().replace("api.example", "evil.example"))
    await bench.setup.refresh()
    assert bench.manager.get_provider("work") is None
    await bench.setup.save(ProviderDraft("work", "openai_compatible", "m", endpoint="https://api.example/v1"))
    await bench.setup.refresh()
    assert bench.manager.get_provider("work") is not None
    await bench.manager.aclose()


async def test_all_keys_refused_is_said_in_one_sentence_without_a_key(tmp_path: Path) -> None:
    async with serving(REFUSED) as server:
        bench = await bench_of(tmp_path, server.url + "/v1")
        await bench.desk.set_key("work", KEY)
        await bench.desk.set_key("work", SECOND, "team")
        with pytest.raises(ProviderError, match="work refused all of its 2 keys") as refused:
            await bench.manager.generate(QUESTION, provider="work")
        assert KEY not in str(refused.value)
        assert "key 2 (team)" in str(refused.value)
        await bench.manager.aclose()


async def test_a_locked_file_is_opened_from_the_window(tmp_path: Path) -> None:
    path = tmp_path / "keys.vault"
    await FileVault(path, "a passphrase").set("work", KEY)
    bench = await bench_of(tmp_path)
    bench.setup.finder.store.vault = FileVault(path, None)
    await bench.setup.refresh()
    before = bench.desk.is_locked
    assert bench.manager.get_provider("work") is None
    await bench.desk.unlock("a passphrase")
    assert (before, bench.desk.is_locked) == (True, False)
    assert bench.manager.get_provider("work") is not None
    assert "vault" not in bench.setup.notices
    await bench.manager.aclose()


def test_a_key_is_in_no_representation() -> None:
    info = KeyInfo("work", "vault", "…cdef")
    found = environment_keys(LLMProviderConfig("openai"), {"VPA_KEY_OPENAI": KEY})
    assert KEY not in repr((info, found))
