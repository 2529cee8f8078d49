"""What our router costs and survives, beside litellm.Router, FallbackModel and with_fallbacks, in one run.

Run: python -m tests.benchmarks.router [--peers PYTHON]... [--rounds N]. Each PYTHON is an interpreter that has some of
litellm, pydantic-ai-slim[openai] and langchain-openai; a peer that none of them has is left out. Two providers, one
behind the other, at one loopback server; the clients take turns, and every figure is the median of its rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from itertools import pairwise
from statistics import median
from typing import Final

from tests.benchmarks.processes import Process, Result, in_turns, percentile, serve

OURS: Final = "ours"
NAMES: Final = {
    OURS: "VPA Desktop, ledger in memory",
    "disk": "VPA Desktop, ledger on disk",
    "litellm": "litellm.Router",
    "pydantic": "pydantic-ai FallbackModel",
    "langchain": "LangChain with_fallbacks",
}
OWN: Final = (OURS, "disk")
NEVER_WELL_S: Final = 1_000_000
HALF_OPEN_AFTER_S: Final = (5.5, 8.0)
"""Our breaker lets its first two probes through after 5 and 7.5 s."""

OUTAGES_S: Final = (14, 17, 20, 23)
"""The primary is dead for so long: at once, for ours, so that chance does not place the end just before a probe."""

SHARES: Final = (0.0, 0.05, 0.06)
"""No hedge, the share that is preset, and a little more: what comes by chance now and then exceeds its mean."""

VERDICTS: Final = {
    1: "COMPLETE: half an answer passed off as whole",
    3: "failed over, asked anew",
    4: "failed over, went on behind what was there",
}
"""By the words of the answer: the first provider gives one and ends too soon, the second one has three."""

Clients = dict[str, Process]


class Stub:
    """The server, and what it counted."""

    def __init__(self, stack: ExitStack) -> None:
        self.host = f"http://127.0.0.1:{serve(stack)[0]}"

    def hits(self, name: str) -> int:
        """How many requests came for this name."""
        with urllib.request.urlopen(f"{self.host}/hits/{name}") as reply:
            return int(json.load(reply))


def table(title: str, columns: Sequence[str], rows: Mapping[str, Sequence[str]]) -> None:
    """Print one line for each client."""
    widths = [max(len(head), *(len(row[n]) for row in rows.values())) for n, head in enumerate(columns)]
    print(f"\n{title}\n  {'':30}" + "   ".join(head.rjust(w) for head, w in zip(columns, widths, strict=True)))
    for name, row in rows.items():
        print(f"  {NAMES[name]:30}" + "   ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)))


def mark(text: str, is_met: bool) -> None:
    """Print a target of ours and whether it is met."""
    print(f"  target: {text}: {'met' if is_met else 'MISSED'}", flush=True)


def medians(results: dict[str, list[Result]]) -> dict[str, dict[str, float]]:
    """The median of every figure over the rounds."""
    return {name: {key: median(r[key] for r in found) for key in found[0]} for name, found in results.items()}


def ratio(values: dict[str, dict[str, float]], name: str, key: str) -> str:
    """How many times ours it is."""
    return "" if name in OWN else f"{values[name][key] / values[OURS][key]:.1f}x"


def added(clients: Clients, stub: Stub, rounds: int) -> None:
    """What the router adds to a small answer."""
    results = in_turns(clients, rounds, lambda c: c("added", stub.host, "0/1/0", 200))
    found = medians(results)
    table(
        "1. Added by the router to its own raw call, one by one in turns, p50 (microseconds)",
        ("raw call", "routed", "added", "rounds", "processor time added", "of ours"),
        {
            name: (
                f"{f['raw']:.0f}",
                f"{f['routed']:.0f}",
                f"{f['added']:.0f}",
                "{:.0f} to {:.0f}".format(*(edge(r["added"] for r in results[name]) for edge in (min, max))),
                f"{f['cpu']:.0f}",
                ratio(found, name, "added"),
            )
            for name, f in found.items()
        },
    )
    mark("added at most 60 with the ledger in memory", found[OURS]["added"] <= 60)


def failover(clients: Clients, stub: Stub, rounds: int) -> None:
    """What it costs to get past a provider that answers 500."""
    found = medians(
        in_turns(clients, rounds, lambda c: c("failover", stub.host, f"down/fails/{NEVER_WELL_S}", "0/1/0", 100))
    )
    table(
        "2. Failover on a 500, p50 (milliseconds; our breaker is reset before each, nobody else's opens)",
        ("total", "over own good call", "over that and the refusal itself", "of ours"),
        {
            name: (
                *(f"{f[key] / 1000:.2f}" for key in ("total", "over_own", "added")),
                ratio(found, name, "over_own"),
            )
            for name, f in found.items()
        },
    )
    mark("at most 1 over its own good call and the refusal itself", found[OURS]["added"] <= 1000)


def dead_primary(clients: Clients, stub: Stub) -> None:
    """How often a dead provider is asked all the same."""
    hits: dict[str, list[int]] = {name: [0] for name in clients}
    errors = dict.fromkeys(clients, 0)

    def ask(name: str, at_once: bool) -> None:
        path = f"down/dead-{name}/{NEVER_WELL_S}"
        errors[name] += clients[name]("ask", stub.host, path, "0/2/0", 60, at_once)["errors"]
        hits[name].append(stub.hits(f"dead-{name}"))

    for name in clients:
        ask(name, False)
        ask(name, True)
    for wait_s in HALF_OPEN_AFTER_S:
        time.sleep(wait_s)
        for name in clients:
            ask(name, True)
    new = {name: [b - a for a, b in pairwise(counts)] for name, counts in hits.items()}
    columns = ("60 in a row", "60 at once after them", "60 at once 5 s later", "and 8 s later", "failed calls")
    rows = {name: (*map(str, counts), str(errors[name])) for name, counts in new.items()}
    table("3a. Requests that a dead primary (500) gets", columns, rows)
    is_met = all(new[name][0] <= 5 and new[name][1:] == [0, 1, 1] for name in clients if name in OWN)
    mark("at most 5; 0 while open; 1 for each half-open window", is_met)


def recovery(clients: Clients, stub: Stub) -> None:
    """When a primary that is well again is used again."""
    for name, client in clients.items():
        outages = OUTAGES_S if name == OURS else (20,)
        downs = [(f"down/ill-{name}-{seconds}/{seconds}", seconds) for seconds in outages]
        client.send("recovery", stub.host, downs, "0/2/0", 0.2)
    back = {name: client.receive()["back_s"] for name, client in clients.items()}
    rows = {
        name: (
            ", ".join(f"{value:.1f}" for value in values),
            str(sum(stub.hits(f"ill-{name}-{seconds}") for seconds in OUTAGES_S) // len(values)),
        )
        for name, values in back.items()
    }
    print(f"\n3b. Ours was down for {', '.join(map(str, OUTAGES_S))} s, the others for 20 s; a request every 0.2 s")
    table(
        "   Seconds until the primary answers again after it is well",
        ("seconds", "requests it got, the last 5 answered"),
        rows,
    )
    mark("within 10 (for outages of up to a minute; later within 15 % of the outage)", max(back[OURS]) <= 10)


def crowd(clients: Clients, stub: Stub, rounds: int) -> None:
    """A hundred requests at once."""
    found = medians(in_turns(clients, rounds, lambda c: c("crowd", stub.host, "50/1/0", 10, 10, 3)))
    table(
        "4. 100 at once from 10 conversations, the server takes 50 ms (milliseconds; ideal 50, and 2000 a second)",
        ("requests/s", "p99 raw", "p99", "of the ideal", "slowest of any conversation", "errors"),
        {
            name: (
                f"{f['per_s']:.0f}",
                f"{f['raw_p99']:.0f}",
                f"{f['p99']:.0f}",
                f"{f['p99'] / 50:.1f}x",
                f"{f['slowest']:.0f}",
                f"{f['errors']:.0f}",
            )
            for name, f in found.items()
        },
    )
    own = found[OURS]
    mark("p99 and the slowest under 150, no error", max(own["p99"], own["slowest"]) < 150 and not own["errors"])


def hedge(client: Process, stub: Stub, rounds: int) -> None:
    """The slow tail of first words, with and without a second provider asked beside it; the rounds in one pool."""
    p99: dict[float, float] = {}
    extra: dict[float, float] = {}
    print("\n5. 5 % of first words of both providers are 2 s late (ours only: no peer has a hedge), milliseconds")
    for share in SHARES:
        names = [f"late-{int(share * 100)}-{which}" for which in "ab"]
        paths = [f"late/{name}/2/0.05" for name in names]
        found = [client("first_words", stub.host, *paths, 1000, 20, share)["ms"] for _ in range(rounds + 1)]
        pool = [ms for one in found[1:] for ms in one]  # without the first: it does not know yet what late is
        p99[share] = percentile(pool, 0.99)
        extra[share] = sum(map(stub.hits, names)) / sum(map(len, found)) - 1
        label = f"for at most {share:.0%} of requests" if share else "without"
        figures = f"p50 {median(pool):5.1f}   p95 {percentile(pool, 0.95):5.0f}   p99 {p99[share]:5.0f}"
        print(f"  {label:30} {figures}   extra requests {extra[share]:.1%}")
    for share in SHARES[1:]:
        factor = p99[0.0] / p99[share]
        mark(f"p99 at least 3x lower for {extra[share]:.1%} more requests: {factor:.1f}x", factor >= 3)


def truncated(clients: Clients, stub: Stub) -> None:
    """Who takes half an answer for a whole one."""

    def verdict(text: str) -> str:
        return f"error: {text[1:]}" if text.startswith("!") else VERDICTS.get(len(text.split()), f"answered {text!r}")

    found = {name: client("truncated", stub.host, f"cut/cut-{name}", "0/3/0") for name, client in clients.items()}
    print("\n6. A stream that ends in good order before the answer does")
    for name, result in found.items():
        print(f"  {NAMES[name]:30}{verdict(result['routed'])}   (raw call: {verdict(result['raw'])})")
    mark("never taken for complete", all(len(found[name]["routed"].split()) == 4 for name in found if name in OWN))


def load() -> str:
    """How busy the machine is."""
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"


def begun(stack: ExitStack, peers: Sequence[str], folder: str) -> Clients:
    """Start every client that can be started, each with the first interpreter that has what it needs."""
    found: Clients = {}
    for name, label in NAMES.items():
        for python in [sys.executable] if name in OWN else peers:
            client = Process(stack, python, "router_clients", name, folder)
            if not client.missing:
                found[name] = client
                break
        else:
            print(f"{label}: not installed")
    return found


def main(peers: Sequence[str], rounds: int) -> None:
    """Measure everything and print the tables."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        stub = Stub(stack)
        clients = begun(stack, peers, folder)
        if OURS not in clients:
            raise SystemExit("The clients cannot be started")
        print(f"{rounds} rounds; {load()} at the beginning")
        added(clients, stub, rounds)
        failover(clients, stub, rounds)
        dead_primary(clients, stub)
        recovery(clients, stub)
        crowd(clients, stub, rounds)
        hedge(clients[OURS], stub, rounds)
        truncated(clients, stub)
        print(f"\n{load()} at the end")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", action="append", default=[], help="an interpreter that has some of the peers")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    main(arguments.peers or [sys.executable], arguments.rounds)
