"""Lists of models: fresh for a day, old with their age where nobody answers, and a broken file is as good as none."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import FakeClock, ScriptedProvider
from vpa_desktop.assistant.model_catalogue import FILE_MAX_BYTES, MODELS_MAX, ModelCatalogue
from vpa_desktop.catalog import LLMProviderConfig, ModelInfo
from vpa_desktop.errors import ProviderUnavailable

KEY = "sk-test-0123456789abcdef"
DAY = timedelta(days=1).total_seconds()


class Lister(ScriptedProvider):
    """A provider that only lists; ``fails`` is raised in the place of the list."""

    def __init__(self, config: LLMProviderConfig, models: list[ModelInfo]) -> None:
        super().__init__(config, [])
        self.listed = models
        self.asked = 0
        self.fails: Exception | None = None

    async def list_models(self) -> list[ModelInfo]:
        self.asked += 1
        await asyncio.sleep(0)
        if self.fails is not None:
            raise self.fails
        return self.listed


class Bench:
    """A catalogue over one OpenAI provider named main."""

    def __init__(self, folder: Path, *models: ModelInfo, **facts: Any) -> None:
        self.file = folder / "models.json"
        self.config = LLMProviderConfig("openai", provider_id="main", api_key=KEY, **facts)
        self.provider = Lister(self.config, list(models) or [ModelInfo("gpt-6-sol"), ModelInfo("gpt-6-luna")])
        self.clock = FakeClock()
        self.catalogue = self.started_again()

    def started_again(self) -> ModelCatalogue:
        return ModelCatalogue(
            self.file,
            lambda: {"main": self.config},
            lambda provider_id: self.provider if self.config.api_key else None,
            now=self.clock.now,
        )


async def test_the_list_is_asked_for_once_a_day_also_over_a_new_start(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await asyncio.gather(*(bench.catalogue.models("main") for _ in range(5)))
    again = bench.started_again()
    bench.clock.advance(DAY - 1)
    found = await again.models("main")
    assert (bench.provider.asked, found.stale, found.error) == (1, False, "")
    bench.clock.advance(1)
    assert (await again.models("main")).fetched_at == bench.clock.now()
    await again.models("main", refresh=True)
    assert bench.provider.asked == 3


async def test_the_configured_model_is_first_and_gaps_are_filled_from_table_and_prices(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ModelInfo("gpt-5", context_tokens=7), ModelInfo("gpt-6-luna"), ModelInfo("gpt-new"))
    models = (await bench.catalogue.models("main")).models
    assert [m.id for m in models] == ["gpt-6-luna", "gpt-5", "gpt-new"]
    luna, five, new = models
    assert (luna.context_tokens, luna.tools, luna.reasoning) == (1_050_000, True, True)
    assert (luna.input_cost_per_million, luna.output_cost_per_million) == (Decimal("0.1"), Decimal("0.5"))
    assert (five.context_tokens, five.retires_on) == (7, "2026-12-11")
    assert new == ModelInfo("gpt-new")
    assert bench.catalogue.info(bench.config, "gpt-5").context_tokens == 7


async def test_a_provider_that_does_not_answer_leaves_the_old_list_with_its_age(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    fetched = (await bench.catalogue.models("main")).fetched_at
    bench.clock.advance(3 * DAY)
    bench.provider.fails = ProviderUnavailable("OpenAI does not answer", "The line is dead")
    found = await bench.catalogue.models("main")
    assert (found.fetched_at, found.stale) == (fetched, True)
    assert [m.id for m in found.models] == ["gpt-6-luna", "gpt-6-sol"]
    assert found.error == "OpenAI does not answer. The line is dead."
    assert (await bench.catalogue.models("main")).error == found.error
    assert bench.provider.asked == 2  # not hammered
    bench.clock.advance(61)
    bench.provider.fails = None
    assert not (await bench.catalogue.models("main")).stale


async def test_without_a_list_or_a_key_there_is_the_configured_model_and_a_sentence(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.config = replace(bench.config, api_key=None)
    found = await bench.catalogue.models("main")
    assert [m.id for m in found.models] == ["gpt-6-luna"]
    assert (found.fetched_at, found.stale) == (None, True)
    assert "no key" in found.error
    assert bench.provider.asked == 0


async def test_the_file_is_private_and_has_no_key_and_no_address(tmp_path: Path) -> None:
    bench = Bench(tmp_path, api_endpoint="https://secret-host.example/v1")
    await bench.catalogue.models("main")
    text = bench.file.read_text("utf-8")
    assert KEY not in text
    assert "secret-host" not in text
    if os.name == "posix":
        assert bench.file.stat().st_mode & 0o777 == 0o600


async def test_a_list_of_another_address_is_not_shown(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.catalogue.models("main")
    bench.config = replace(bench.config, api_endpoint="https://elsewhere.example/v1")
    assert [m.id for m in (await bench.catalogue.known("main")).models] == ["gpt-6-luna"]
    assert bench.catalogue.info(bench.config, "gpt-6-sol").input_cost_per_million is None
    bench.provider.listed = [ModelInfo("theirs")]
    assert [m.id for m in (await bench.catalogue.models("main")).models] == ["gpt-6-luna", "theirs"]


def broken_files() -> list[bytes]:
    good = {"place": "x", "fetched_at": "2026-11-22T00:00:00+00:00", "models": [{"id": 5, "context_tokens": "many"}]}
    return [
        b"",
        b"\xff\xfe not json",
        b"[]",
        b'{"format": 99, "providers": {}}',
        b'{"format": 1, "providers": {"main": null}}',
        b'{"format": 1, "providers": {"main": {"place": "x", "fetched_at": "noon", "models": []}}}',
        b'{"format": 1, "providers": ' + b"[" * 100_000,
        json.dumps({"format": 1, "providers": {"main": good}}).encode(),
        b" " * (FILE_MAX_BYTES + 1),
    ]


@pytest.mark.parametrize("content", broken_files(), ids=range(9))
async def test_a_file_that_cannot_be_read_is_as_good_as_none(content: bytes, tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.file.write_bytes(content)
    assert [m.id for m in (await bench.catalogue.models("main")).models] == ["gpt-6-luna", "gpt-6-sol"]
    assert [m.id for m in (await bench.started_again().known("main")).models] == ["gpt-6-luna", "gpt-6-sol"]


async def test_a_list_is_bounded_and_odd_names_are_left_out(tmp_path: Path) -> None:
    odd = [ModelInfo(""), ModelInfo("a\nb"), ModelInfo("x" * 201), ModelInfo("m0", name="bad\x1b[0m")]
    bench = Bench(tmp_path, *odd, *(ModelInfo(f"m{n}") for n in range(5_000)), model="m0")
    models = (await bench.catalogue.models("main")).models
    assert len(models) <= MODELS_MAX
    assert models[0] == ModelInfo("m0")
    assert not any("\n" in m.id for m in models)


async def test_ones_own_price_is_shown_at_every_model(tmp_path: Path) -> None:
    bench = Bench(tmp_path, input_cost_per_million=Decimal(2), output_cost_per_million=Decimal(9))
    for model in (await bench.catalogue.models("main")).models:
        assert (model.input_cost_per_million, model.output_cost_per_million) == (Decimal(2), Decimal(9))


async def test_a_mended_provider_is_asked_at_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.provider.fails = ProviderUnavailable("OpenAI does not answer", "The line is dead")
    assert (await bench.catalogue.models("main")).error
    assert (await bench.catalogue.models("main")).error
    assert bench.provider.asked == 1
    bench.provider = Lister(bench.config, [ModelInfo("gpt-6-sol")])
    assert (await bench.catalogue.models("main")).error == ""


async def test_lists_that_come_at_once_are_all_kept(tmp_path: Path) -> None:
    file = tmp_path / "models.json"
    configs = {f"p{n}": LLMProviderConfig("openai", provider_id=f"p{n}", api_key=KEY) for n in range(8)}
    providers = {i: Lister(config, [ModelInfo(f"model-of-{i}")]) for i, config in configs.items()}
    catalogue = ModelCatalogue(file, lambda: configs, providers.get)
    await asyncio.gather(*(catalogue.models(i) for i in configs))
    kept = json.loads(file.read_text(encoding="utf-8"))["providers"]
    assert set(kept) == set(configs)
    assert os.listdir(tmp_path) == ["models.json"]  # noqa: PTH208 - pathlib blocks in a coroutine too
