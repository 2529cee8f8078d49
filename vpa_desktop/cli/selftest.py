"""``selftest``: the program's parts walked end to end on data of its own, and the report of it."""

from __future__ import annotations

import argparse
import asyncio
import json

from vpa_desktop.cli.output import Output
from vpa_desktop.cli.report_file import report_file
from vpa_desktop.cli.serve import endpoint_of, missing_extra
from vpa_desktop.config import Paths
from vpa_desktop.security.redaction import install_log_redaction
from vpa_desktop.serve.tokens import TokenFile
from vpa_desktop.system import System
from vpa_desktop.trials.bench import describe_machine
from vpa_desktop.trials.report import selftest_document, selftest_markdown, summary
from vpa_desktop.trials.selftest import LeftOut, NotRight, run_selftest

MARKS = {"passed": "ok  ", "failed": "FAIL", "skipped": "skip"}
ASKED = {"model": "player", "messages": [{"role": "user", "content": "Say it back"}]}


async def selftest(options: argparse.Namespace, paths: Paths, out: Output) -> int:
    """Try every part; exit code 1 where one failed."""
    install_log_redaction()
    steps = []
    with report_file(options.output, overwrite=options.force) as write:
        machine = describe_machine()
        async for step in run_selftest(round_trip):
            steps.append(step)
            out.line(f"{MARKS[step.outcome]} {step.name}: {step.detail} ({step.ms:.0f} ms)")
        write(selftest_markdown(steps, machine), selftest_document(steps, machine))
    out.line(summary(steps))
    if options.output is not None:
        out.line(f"The report is {options.output}")
    out.document(selftest_document(steps, machine))
    return 1 if any(step.outcome == "failed" for step in steps) else 0


async def round_trip(system: System) -> str:
    """Serve a system on a free port, ask it once with its token, and once without."""
    if missing := missing_extra():
        raise LeftOut(f'{" and ".join(missing)} not installed: pip install "vpa-desktop[serve]"')
    from vpa_desktop.serve.listening import Listener, open_socket

    tokens = TokenFile(system.paths.serve_tokens)
    token = tokens.token_of()
    sock = open_socket("127.0.0.1", 0)
    port = sock.getsockname()[1]
    listener = Listener(endpoint_of(system, tokens), sock)
    said: list[str] = []

    async def ready() -> None:
        try:
            said.append(await _asked(port, token))
        finally:
            listener.stop()

    try:
        await listener.run(ready)
    finally:
        sock.close()
    return said[0]


async def _asked(port: int, token: str) -> str:
    status, body = await _post(port, token)
    if status != 200:
        raise NotRight(f"The endpoint answered {status}: {body[:200]!r}")
    content = json.loads(body)["choices"][0]["message"]["content"]
    if "Say it back" not in content:
        raise NotRight(f"The endpoint answered something else: {content[:100]}")
    refused, _ = await _post(port, "wrong")
    if refused != 401:
        raise NotRight(f"A wrong token was answered with {refused}")
    return "answered with its token, refused without"


async def _post(port: int, token: str) -> tuple[int, bytes]:
    """One request over loopback, as a client would send it."""
    body = json.dumps(ASKED).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {token}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(head.encode() + body)
        await writer.drain()
        async with asyncio.timeout(60):
            answer = await reader.read()
    finally:
        writer.close()
    first, _, rest = answer.partition(b"\r\n")
    return int(first.split()[1]), rest.partition(b"\r\n\r\n")[2]
