"""A child that dies, hangs or refuses costs one request; the next one gets a new child."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from vpa_desktop.config import resource_path
from vpa_desktop.errors import DocumentUnreadable
from vpa_desktop.rag.parser_process import ChunkSizes, Parser
from vpa_desktop.rag.worker import Worker, WorkerDied

ROOT = Path(__file__).resolve().parents[2]
SIZES = ChunkSizes(resource_path("models", "tokenizer.json"))


@pytest.fixture
def parser() -> Iterator[Parser]:
    made = Parser(SIZES)
    yield made
    made.close()


def child_of(parser: Parser) -> int:
    pid = parser._worker.pid
    assert pid is not None
    return pid


def test_one_child_reads_many_files(parser: Parser, tmp_path: Path) -> None:
    children = set()
    for number in range(5):
        file = tmp_path / f"{number}.txt"
        file.write_text(f"The number is {number}.")
        assert parser.parse_file(file).chunks[0].text == f"The number is {number}."
        children.add(child_of(parser))
    assert len(children) == 1
    with pytest.raises(DocumentUnreadable, match="is empty"):
        parser.cut_text("Nothing", "  \n")
    assert child_of(parser) in children


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_a_killed_reader_is_a_sentence_and_the_next_file_is_read(parser: Parser, tmp_path: Path) -> None:
    slow = tmp_path / "slow.txt"
    slow.write_text("many plain words in a row, " * 400_000)
    good = tmp_path / "good.txt"
    good.write_text("Fine.")
    parser.parse_file(good)
    first = child_of(parser)
    threading.Timer(0.3, os.kill, (first, signal.SIGKILL)).start()
    with pytest.raises(DocumentUnreadable, match=r"slow\.txt could not be read"):
        parser.parse_file(slow)
    assert parser.parse_file(good).chunks[0].text == "Fine."
    assert child_of(parser) != first


def test_a_file_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    slow = tmp_path / "slow.txt"
    slow.write_text("many plain words in a row, " * 400_000)
    parser = Parser(SIZES, wall_s=0.5)
    try:
        with pytest.raises(DocumentUnreadable, match="takes too long"):
            parser.parse_file(slow)
    finally:
        parser.close()


def test_a_name_with_odd_bytes_survives_the_pipe(parser: Parser, tmp_path: Path) -> None:
    file = Path(os.fsdecode(os.fsencode(str(tmp_path)) + b"/line\nbreak \xff.txt"))
    try:
        file.write_text("Odd but readable.")
    except OSError:
        pytest.skip("this file system does not allow such names")
    assert parser.parse_file(file).chunks[0].text == "Odd but readable."


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_children_see_no_keys(monkeypatch: pytest.MonkeyPatch, parser: Parser) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    monkeypatch.setenv("VPA_VAULT_PASSPHRASE", "canary words")
    parser.cut_text("T", "Some text.")
    assert b"canary" not in Path(f"/proc/{child_of(parser)}/environ").read_bytes()


def test_an_idle_child_is_given_back_and_comes_again() -> None:
    worker = Worker("parser", idle_s=0.2)
    request = b'{"title": "T", "text": "Words.", "tokenizer": "%s", "max_tokens": 50, "overlap_tokens": 0}'
    request %= str(SIZES.tokenizer).replace("\\", "\\\\").encode()
    try:
        worker.request(request, 30)
        deadline = time.monotonic() + 10
        while worker.pid is not None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert worker.pid is None
        assert b"Words." in worker.request(request, 30)
    finally:
        worker.close()
    with pytest.raises(WorkerDied):
        worker.request(request, 30)


def test_a_child_that_was_started_early_answers_the_first_request() -> None:
    worker = Worker("parser")
    try:
        worker.start()
        early = worker.pid
        assert early is not None
        worker.start()
        sizes = {"tokenizer": str(SIZES.tokenizer), "max_tokens": 50, "overlap_tokens": 0}
        reply = worker.request(json.dumps({**sizes, "title": "A", "text": "Fine."}).encode(), 60)
        assert b"Fine." in reply
        assert worker.pid == early
    finally:
        worker.close()
    worker.start()
    assert worker.pid is None


@pytest.mark.skipif(not sys.platform.startswith("linux") or platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_memory_that_was_freed_below_what_is_still_used_goes_back_to_the_system() -> None:
    script = """
import psutil
from vpa_desktop.rag.process_limits import give_back_memory
blocks = [bytes(100_000) + b"x" for _ in range(500)]
last = blocks[-1]
blocks.clear()
before = psutil.Process().memory_info().rss
give_back_memory()
print(before - psutil.Process().memory_info().rss)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) > 25_000_000
