"""``docs model`` as a person types it, against servers nobody here wrote, and killed in the middle."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.assistant.vector_server import VectorServer, vector_server
from tests.e2e.program import LLMock, Program, llmock_server

pytest.importorskip("llmock")
CHOICE = "mine/text-embedding-3-small"
FACT = "The lease ends on 14 March 2027."


@pytest.fixture(scope="module")
def mock() -> Iterator[LLMock]:
    """llmock speaks OpenAI's embeddings."""
    with llmock_server() as server:
        yield server


def with_provider(tmp_path: Path, kind: str, base: str) -> Program:
    program = Program(tmp_path / "home", VPA_KEY_MINE="sk-test-0123456789abcdef")
    program.settings(f'[providers.mine]\nkind = "{kind}"\nmodel = "gpt-4o"\napi_endpoint = "{base}"\n')
    return program


def test_price_and_host_are_said_and_without_yes_nothing_is_sent(tmp_path: Path, mock: LLMock) -> None:
    program = with_provider(tmp_path, "openai", f"{mock.base}/v1")
    (tmp_path / "lease.txt").write_text(FACT)
    assert program("docs", "add", str(tmp_path / "lease.txt")).code == 0
    asked = program("docs", "model", CHOICE)
    host = mock.base.removeprefix("http://")
    assert asked.code == 2
    assert "$0.02 per million tokens." in asked.out
    assert f"is sent to {host}" in asked.out
    assert "Add --yes" in asked.err
    assert program("audit", "list", "--json").json["entries"] == []
    assert program("docs", "model", "--json").json["model"] == "default"

    done = program("docs", "model", CHOICE, "--yes", "--json")
    assert done.code == 0, done.err
    assert done.json["passages"] == 1
    assert done.json["chosen"]["host"] == host
    listed = program("docs", "model", "--json").json
    assert listed["model"] == CHOICE
    found = program("docs", "search", "When does the lease end?", "--json").json
    assert (found["results"][0]["text"], found["notice"]) == (FACT, "")
    row = next(r for r in program("costs", "--by", "model", "--json").json["rows"] if "embedding" in str(r))
    assert row["requests"] == 3
    assert 0 < row["cost_usd"] < 0.0001
    audit = program("audit", "list", "--json").out
    assert "text sent for vectors" in audit
    assert "lease" not in audit
    assert "Chosen embedding model: mine/text-embedding-3-small, text goes to" in program("doctor").out


def test_a_provider_that_is_gone_leaves_the_words_with_a_warning(tmp_path: Path) -> None:
    (tmp_path / "lease.txt").write_text(FACT)
    with llmock_server() as mock:
        program = with_provider(tmp_path, "openai", f"{mock.base}/v1")
        program("docs", "add", str(tmp_path / "lease.txt"))
        assert program("docs", "model", CHOICE, "--yes").code == 0
    found = program("docs", "search", "When does the lease end?")
    assert found.code == 0
    assert FACT in found.out
    assert "searched by words only" in found.err
    answer = program("ask", "When does the lease end?", "--docs", "--provider", "local", "--json").json
    assert answer["citations"][0]["text"] == FACT
    assert any("searched by words only" in warning for warning in answer["warnings"])
    refused = program("docs", "model", "mine/text-embedding-3-large", "--yes")
    assert refused.code != 0
    assert program("docs", "model", "--json").json["model"] == CHOICE


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
async def test_killed_in_the_middle_no_more_than_one_batch_is_paid_twice(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    for number in range(150):
        (docs / f"{number}.txt").write_text(f"Fact number {number} is about the thing {number * 7}.")
    async with vector_server() as server:
        program = with_provider(tmp_path, "openai_compatible", server.base)
        added = await asyncio.to_thread(program, "docs", "add", str(docs))
        assert added.code == 0, added.err
        await kill_in_the_second_batch(program, server)
        known = set(server.texts[:64])
        done = await asyncio.to_thread(program, "docs", "model", "mine/words-embed", "--yes", "--json")
        check = (await asyncio.to_thread(program, "docs", "check", "--json")).json
    assert done.code == 0, done.err
    assert (check["passages"], check["passages_without_vector"]) == (150, 0)
    times = Counter(server.texts)
    assert len(times) == 150
    assert {text for text, count in times.items() if count > 1} <= set(server.texts[64:128])
    assert all(times[text] == 1 for text in known)


async def kill_in_the_second_batch(program: Program, server: VectorServer) -> None:
    """Kills the program while the second batch is on its way: the first one is stored by then."""
    arguments = (sys.executable, "-m", "vpa_desktop", "docs", "model", "mine/words-embed", "--yes")
    server.silent_after = 64
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*arguments, env=program.variables(), stdout=quiet, stderr=quiet)
    await asyncio.wait_for(server.fell_silent.wait(), 60)
    process.kill()
    await process.wait()
    server.silent_after = None
