"""``vpa-desktop serve`` as a process: how it starts, what it says, how it ends."""

from __future__ import annotations

import json
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from tests.e2e.program import ROOT, Program

SETTINGS = """
[providers.broken]
kind = "mock"
model = "mock-500"
[providers.mine]
kind = "mock"
[routing]
failover_chain = ["broken", "mine"]
"""


@contextmanager
def serving(program: Program, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """Start it on a free port; yields the process, its address, and what it said until then."""
    program.settings(SETTINGS)
    command = [sys.executable, "-m", "vpa_desktop", "serve", "--port", "0", *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=program.variables(),
        cwd=program.home.parent,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            while "http" not in said:
                assert said, process.stderr.read() if process.stderr else ""
                said += process.stdout.readline()
            found = re.search(r"http://[^\s\"]+/v1", said)
            assert found is not None, said
            yield process, found[0], said
        finally:
            process.kill()


def test_the_readmes_snippet_answers_through_the_real_command(program: Program) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    snippet = next(block for block in blocks if "from openai import" in block)
    with serving(program) as (process, url, _):
        shown = program("serve", "--show-token")
        assert shown.code == 0
        script = program.home.parent / "client.py"
        script.write_text(snippet)
        ran = program.python(str(script), OPENAI_BASE_URL=url, OPENAI_API_KEY=shown.out.strip())
        assert ran.code == 0, ran.err
        assert "circuit breaker" in ran.out
        assert "mine" in ran.out
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


def test_asked_to_end_it_ends_in_order_and_what_it_did_is_in_the_audit(program: Program) -> None:
    with serving(program, "--json") as (process, url, _):
        token = program("serve", "--show-token", "--json").json["token"]
        ask = textwrap.dedent(f"""
            from openai import OpenAI
            client = OpenAI(base_url={url!r}, api_key={token!r})
            for piece in client.chat.completions.create(
                model="auto", messages=[{{"role": "user", "content": "hello"}}], stream=True
            ):
                print(piece.choices[0].delta.content or "", end="")
        """)
        ran = program.python("-c", ask)
        assert (ran.code, ran.out) == (0, "hello"), ran.err
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    with closing(sqlite3.connect(program.home / "vpa.db")) as db:
        assert db.execute("SELECT target, result FROM audit").fetchall() == [("mine/mock", "ok")]


def test_the_token_stays_until_another_is_made(program: Program) -> None:
    first = program("serve", "--show-token").out
    assert program("serve", "--show-token").out == first
    second = program("serve", "--new-token").out
    assert second != first
    assert program("serve", "--show-token").out == second
    assert program("serve", "--show-token", "--user", "anna").out not in (first, second)
    assert oct((program.home / "serve-tokens").stat().st_mode & 0o777) == "0o600"


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.9"])
def test_another_address_is_refused(program: Program, host: str) -> None:
    ran = program("serve", "--host", host)
    assert (ran.code, ran.out) == (2, "")
    assert "this machine only" in ran.err


def test_a_port_in_use_is_one_clear_line(program: Program) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ran = program("serve", "--port", str(taken.getsockname()[1]))
    assert (ran.code, ran.out) == (1, "")
    assert "is in use" in ran.err
    assert "--port" in ran.err
    assert len(ran.err.splitlines()) == 1


def test_without_the_extra_one_line_says_what_to_install(program: Program) -> None:
    hide = "import sys; sys.modules['uvicorn'] = None; from vpa_desktop.__main__ import main; "
    hide += "sys.argv[1:] = ['serve']; sys.exit(main())"
    ran = program.python("-c", hide)
    assert (ran.code, ran.out) == (3, "")
    assert 'pip install "vpa-desktop[serve]"' in ran.err
    assert len(ran.err.splitlines()) == 1


def test_what_it_says_as_json_is_one_document(program: Program) -> None:
    with serving(program, "--json") as (process, url, said):
        process.terminate()
        assert process.stdout is not None
        document = json.loads(said + process.stdout.read())
    assert document == {"url": url, "pid": process.pid, "user": "local"}
