"""What a provider costs in memory, configured and in use, and whether closing leaves a socket. Part of providers.py."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

CONFIGURED: Final = 500
ACTIVE: Final = 50
ROOT: Final = Path(__file__).resolve().parents[2]


def provider_memory(serve: Callable[[int, str], list[int]], folder: Path) -> Iterator[str]:
    """Measure in a process of its own, over TLS, and yield the lines to print."""
    import trustme

    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    ports = serve(ACTIVE + 1, str(folder / "server.pem"))
    command = [sys.executable, "-m", "tests.benchmarks.memory", str(folder / "ca.pem"), *map(str, ports)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    yield f"configured: {found['configured']:.1f} KB each by tracemalloc, {found['configured_rss']:.1f} KB resident"
    yield f"  over {CONFIGURED} of them (target at most 64)"
    yield f"active over TLS: {found['active_rss']:.1f} KB resident each, over {ACTIVE} of them (target at most 512)"
    yield f"sockets while in use: {found['sockets_open']:.0f}, after closing: {found['sockets_left']:.0f} (target 0)"


def _rss_kb() -> float:
    import psutil

    gc.collect()
    return float(psutil.Process().memory_info().rss) / 1024


def _sockets() -> int:
    import psutil

    return len(psutil.Process().net_connections())


async def _measure(ca_file: str, ports: list[str]) -> dict[str, float]:
    from vpa_desktop.catalog import LLMProviderConfig
    from vpa_desktop.gateway.manager import LLMProviderManager
    from vpa_desktop.messages import LLMRequest, Message
    from vpa_desktop.providers import build_provider
    from vpa_desktop.providers._http import HttpSession

    http = HttpSession(ca_file=ca_file)
    manager = LLMProviderManager()
    question = LLMRequest((Message("user", "Say one word."),))

    def add(name: str, port: str) -> None:
        config = LLMProviderConfig(
            "openai_compatible",
            "stub",
            api_key="sk-benchmark-0000",
            provider_id=name,
            api_endpoint=f"https://127.0.0.1:{port}/0/1/0/v1",
        )
        manager.register_provider(name, build_provider(config, http))

    add("warm", ports[0])
    await manager.generate(question, provider="warm")
    found: dict[str, Any] = {}
    before = _rss_kb()
    tracemalloc.start()
    for n in range(CONFIGURED):
        add(f"provider-{n}", ports[1 + n % ACTIVE])
    gc.collect()
    found["configured"] = tracemalloc.get_traced_memory()[0] / 1024 / CONFIGURED
    tracemalloc.stop()
    found["configured_rss"] = (_rss_kb() - before) / CONFIGURED
    before = _rss_kb()
    for n in range(ACTIVE):
        await manager.generate(question, provider=f"provider-{n}")
    found["active_rss"] = (_rss_kb() - before) / ACTIVE
    found["sockets_open"] = _sockets()
    await manager.aclose()
    await http.aclose()
    found["sockets_left"] = _sockets()
    return found


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_measure(sys.argv[1], sys.argv[2:]))))
