"""What our providers cost, against raw httpx, the openai SDK and litellm, at one loopback server in one run.

Run: python -m tests.benchmarks.providers [--peers PYTHON] [--rounds N]. PYTHON is an interpreter that has openai and
litellm; raw httpx runs under ours. The clients take turns, and every figure is the median of its rounds.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from tests.benchmarks.memory import provider_memory
from tests.benchmarks.processes import Process, in_turns, measure, percentile, serve

PEERS: Final = ("openai", "litellm", "router")
NAMES: Final = {
    "ours": "VPA Desktop, provider",
    "gateway": "VPA Desktop, gateway",
    "httpx": "raw httpx",
    "openai": "openai SDK",
    "litellm": "litellm.acompletion",
    "router": "litellm.Router",
}


def print_table(title: str, unit: str, values: dict[str, float], digits: int = 0) -> None:
    """Print one figure of every client, and its ratio to each of the two that targets are set against."""
    print(f"\n{title} ({unit})")
    for name, label in NAMES.items():
        if name not in values:
            print(f"  {label:24} not installed")
            continue
        ratios = [
            f"{values[name] / values[other]:.2f}x {NAMES[other]}"
            for other in ("httpx", "router")
            if values.get(other) and name != other
        ]
        print(f"  {label:24} {values[name]:9.{digits}f}   {'   '.join(ratios)}")


def main(peers: str, rounds: int) -> None:
    """Measure everything and print the table."""
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        host = f"http://127.0.0.1:{serve(stack)[0]}"
        every = {
            name: Process(stack, peers if name in PEERS else sys.executable, "clients", name)
            for name in ("floor", *NAMES)
        }
        clients = {name: client for name, client in every.items() if not client.missing}
        if "floor" not in clients:
            raise SystemExit("The clients cannot be started")

        small = measure(clients, rounds, lambda c: statistics.median(c("sequential", f"{host}/0/1/0/v1", 200)["us"]))
        floor = small.pop("floor")
        del clients["floor"]
        print(f"floor of a raw socket: {floor:.0f} microseconds a request")
        print_table(
            "Overhead of one small answer over the floor, p50",
            "microseconds; target at most 0.70x raw httpx",
            {name: value - floor for name, value in small.items()},
        )

        found = in_turns(clients, rounds, lambda c: c("parallel", f"{host}/50/1/0/v1", 100, 5))
        print_table(
            "100 at once, the server takes 50 ms",
            "requests a second, ideal 2000; target at least 10x litellm.Router",
            {name: statistics.median(r["per_s"] for r in results) for name, results in found.items()},
        )
        print_table(
            "100 at once, p99",
            "milliseconds; target under 150",
            {name: statistics.median(percentile(r["ms"], 0.99) for r in results) for name, results in found.items()},
        )

        paced = measure(clients, rounds, lambda c: float(c("streams", f"{host}/0/250/4/v1", 10, 1, 250)["us"]))
        print_table(
            "Processor time per streamed token, one every 4 ms on each of 10 streams",
            "microseconds; target at most 0.80x raw httpx and 0.20x litellm",
            paced,
        )
        burst = measure(clients, rounds, lambda c: float(c("streams", f"{host}/0/500/0/v1", 4, 5, 500)["us"]))
        print_table("The same, 500 tokens at once", "microseconds", burst, 1)

        print("\nMemory of our providers")
        for line in provider_memory(lambda ports, certificate: serve(stack, ports, certificate), Path(folder)):
            print("  " + line)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", default=sys.executable, help="an interpreter that has openai and litellm")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    main(arguments.peers, arguments.rounds)
