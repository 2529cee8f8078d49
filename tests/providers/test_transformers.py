"""A real Transformers model in its own process: exact text and usage, stop at once, memory given back, plain errors."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import subprocess
import sys
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.providers.stopping import stops_at_once
from tests.providers.test_requests import PICTURE
from tests.wire import outcome
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.children import SECRET
from vpa_desktop.errors import ContextTooLong, ProviderUnavailable, RequestRejected
from vpa_desktop.messages import LLMRequest, Message
from vpa_desktop.providers import _transformers_worker as worker
from vpa_desktop.providers import build_provider
from vpa_desktop.providers import transformers as module
from vpa_desktop.providers._http import HttpSession
from vpa_desktop.providers.transformers import TransformersProvider

QUESTION = "Who keeps it?"
installed = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("torch", "transformers", "safetensors")),
    reason="Transformers and torch (the extra named models) are not installed",
)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A folder with a tiny model, and what Transformers itself answers with it at temperature 0."""
    folder = tmp_path_factory.mktemp("tiny")
    command = [sys.executable, "-P", str(Path(__file__).with_name("tiny_model.py")), str(folder), QUESTION]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=100, check=True)
    return folder, json.loads(done.stdout)


@pytest.fixture
async def local(tiny: tuple[Path, dict[str, Any]], http: HttpSession) -> AsyncGenerator[TransformersProvider, None]:
    """The provider for it; its process ends with the test."""
    http.offline = True
    provider = build(http, model_path=str(tiny[0]), keep_loaded_minutes=0.5 / 60)
    yield provider
    await provider.aclose()


def build(http: HttpSession, model: str = "", **config: Any) -> TransformersProvider:
    found = build_provider(LLMProviderConfig("transformers", model, timeout=60, **config), http)
    assert isinstance(found, TransformersProvider)
    return found


def asking(question: str = QUESTION, **fields: Any) -> LLMRequest:
    return LLMRequest((Message("user", question),), **{"temperature": 0.0, "max_tokens": 60, **fields})


async def until(condition: Any) -> bool:
    for _ in range(200):
        if condition():
            return True
        await asyncio.sleep(0.02)
    return False


@installed
@pytest.mark.model
async def test_it_answers_as_the_library_does_stops_at_once_and_gives_its_memory_back(
    local: TransformersProvider, tiny: tuple[Path, dict[str, Any]]
) -> None:
    expected = tiny[1]
    before_first = local.process_id
    assert (await local.count_tokens(asking())).estimated

    seen = await outcome(local, asking())
    assert before_first is None  # nothing loads before the first request
    assert seen.done is not None, seen.error
    assert seen.text == expected["text"]
    assert seen.done.finish_reason == "length"
    assert seen.done.usage is not None
    assert (seen.done.usage.input_tokens, seen.done.usage.output_tokens) == (expected["prompt_tokens"], 60)
    assert local.context_tokens == 2048
    count = await local.count_tokens(asking())
    assert (count.tokens, count.estimated) == (expected["prompt_tokens"], False)

    stop = expected["text"][15:18]
    cut = await outcome(local, asking(stop=(stop,)))
    assert cut.done is not None
    assert (cut.text, cut.done.finish_reason) == (expected["text"].partition(stop)[0], "stop")

    warm = await outcome(local, asking(temperature=1.5, top_p=0.9))
    assert warm.done is not None
    assert warm.text != expected["text"]

    seen = await outcome(local, asking("word " * 3000))
    assert isinstance(seen.error, ContextTooLong)
    assert seen.error.next_step

    process = psutil.Process(local.process_id)
    assert await stops_at_once(local.stream(asking(max_tokens=2000)), process)

    assert await until(lambda: not process.is_running() and local.process_id is None)  # idle for as long as it may be


@installed
@pytest.mark.model
async def test_a_model_that_cannot_be_loaded_is_said_in_words(tmp_path: Path, http: HttpSession) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama", "auto_map": {"AutoConfig": "x.Y"}}')
    broken = build(http, model_path=str(tmp_path))
    absent = build(http, "nobody/no-such-model")
    seen = await asyncio.gather(outcome(broken), outcome(absent))
    await broken.aclose()
    await absent.aclose()
    assert all(isinstance(one.error, ProviderUnavailable) and not one.error.retryable for one in seen)
    assert "Run: hf download nobody/no-such-model" in str(seen[1].error)
    assert tmp_path.name in str(seen[0].error)
    assert (broken.process_id, absent.process_id) == (None, None)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (None, "There is no folder"),
        ((), "has no config.json"),
        (("config.json", "pytorch_model.bin"), "not in the safetensors format"),
    ],
)
async def test_a_folder_that_is_no_model_is_said_without_loading_anything(
    files: Sequence[str] | None, words: str, tmp_path: Path, http: HttpSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: importlib.util.find_spec("json"))
    for name in files or ():
        (tmp_path / name).write_text("{}")
    folder = tmp_path if files is not None else tmp_path / "gone"
    with pytest.raises(ProviderUnavailable, match=words) as caught:
        await build(http, model_path=str(folder)).connect()
    assert caught.value.next_step


async def test_what_is_not_installed_is_said_with_the_command(
    http: HttpSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(ProviderUnavailable, match="not installed") as caught:
        await build(http, "a/b").connect()
    assert 'pip install "vpa-desktop[models]"' in str(caught.value)


async def test_a_picture_is_refused_before_anything_is_loaded(http: HttpSession) -> None:
    local = build(http, "a/b")
    seen = await outcome(local, LLMRequest((Message("user", "What is this?", images=(PICTURE,)),)))
    assert isinstance(seen.error, RequestRejected)
    assert local.process_id is None


class Letters:
    """A tokenizer of one letter a token; "é" is two, as bytes are."""

    def decode(self, ids: Sequence[int], **options: Any) -> str:
        return bytes(ids).decode("utf-8", "replace")


class Tokens(bytes):
    def flatten(self) -> Tokens:
        return self

    def tolist(self) -> list[int]:
        return list(self)


def pieces(*stops: str) -> tuple[worker.Pieces, list[str]]:
    said: list[str] = []

    def say(text: str) -> bool:
        said.append(text)
        return True

    return worker.Pieces(Letters(), 1, stops, say), said


def test_a_character_of_two_tokens_comes_whole_and_a_stop_text_never_shows() -> None:
    found, said = pieces("END", "\nUser:")
    for token in ("?", *"née EN"):
        for byte in token.encode():
            found.put(Tokens([byte]))
    assert "".join(said) == "née "  # "EN" may become the stop text
    found.put(Tokens(b"D"))
    assert found.ended
    found.end()
    assert "".join(said) == "née "


def test_what_was_held_back_comes_at_the_end() -> None:
    found, said = pieces("END")
    for token in (b"?", b"E", b"N"):
        found.put(Tokens(token))
    found.end()
    assert "".join(said) == "EN"


@pytest.mark.parametrize(
    ("tokens", "limit", "reason"), [(b"?ab", 2, "length"), (b"?ab", 3, "stop"), (b"?a\x00", 2, "stop")]
)
def test_why_an_answer_ended(tokens: bytes, limit: int, reason: str) -> None:
    found, _ = pieces()
    for byte in tokens:
        found.put(Tokens([byte]))
    assert worker.finish(found, limit, [0, None]) == reason


def test_a_model_without_a_template_gets_plain_lines() -> None:
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "tool", "content": "12 C"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": [{"type": "text", "text": "Bye"}]},
    ]
    assert worker.plain(worker.merged(messages)) == (
        "Be brief.\nUser: Hi\n\n12 C\nAssistant: Hello\nUser: Bye\nAssistant:"
    )


@pytest.mark.parametrize(
    ("exc", "word"),
    [
        (MemoryError(), "memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "memory"),
        (ImportError("jinja2"), "missing"),
        (ValueError("... set the option `trust_remote_code=True`"), "own_code"),
        (OSError("no file named model.safetensors"), "not_safe"),
        (OSError("We couldn't connect"), "not_found"),
        (KeyError("x"), "not_a_model"),
    ],
)
def test_why_a_model_could_not_be_loaded(exc: BaseException, word: str) -> None:
    assert worker.reason(exc) == word


@pytest.mark.parametrize(
    ("name", "stays"),
    [("HF_TOKEN", False), ("OPENAI_API_KEY", False), ("VPA_KEY_X", False), ("PATH", True), ("HF_HOME", True)],
)
def test_a_models_process_gets_no_secrets(name: str, stays: bool) -> None:
    assert (SECRET.search(name) is None) is stays
