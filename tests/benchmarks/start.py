"""Start to first paint, and memory then: our window against a bare PySide6 window with as many widgets.

Run: python -m tests.benchmarks.start [rounds]. Prints medians and the ratio; both programs alternate in one run.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

OURS = """
import json, os, sys, time
from pathlib import Path
from vpa_desktop import app
from vpa_desktop.config import find_paths

def report():
    ms = (time.time() - float(os.environ["STARTED"])) * 1000
    import psutil
    from PySide6.QtWidgets import QApplication
    rss = psutil.Process().memory_info().rss / 1e6
    print(json.dumps({"ms": ms, "rss": rss, "widgets": len(QApplication.allWidgets())}), flush=True)
    os._exit(0)

wait = app._wait_for_paint

def wait_and_report(window):
    window.first_painted.connect(report)
    wait(window)

app._wait_for_paint = wait_and_report
app.run_window(find_paths(Path(os.environ["VPA_HOME"])))
"""

BARE = """
import json, os, sys, time
from PySide6.QtWidgets import QApplication, QLabel, QMainWindow, QPushButton, QVBoxLayout, QWidget

class Window(QMainWindow):
    def paintEvent(self, event):
        super().paintEvent(event)
        ms = (time.time() - float(os.environ["STARTED"])) * 1000
        import psutil
        print(json.dumps({"ms": ms, "rss": psutil.Process().memory_info().rss / 1e6}), flush=True)
        os._exit(0)

app = QApplication([])
window = Window()
body = QWidget()
layout = QVBoxLayout(body)
for n in range(int(sys.argv[1]) // 2):
    layout.addWidget(QLabel(f"Label {n}"))
    layout.addWidget(QPushButton(f"Button {n}"))
window.setCentralWidget(body)
window.resize(1280, 860)
window.show()
app.exec()
"""


def run(code: str, home: str, *arguments: str) -> dict[str, float]:
    """Start one of the two and return what it printed at its first paint."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}  # installed programs are compiled
    environ = {**kept, "STARTED": str(time.time()), "VPA_HOME": home, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], env=environ, capture_output=True, text=True, timeout=60, check=True
    )
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def main(rounds: int) -> None:
    """Alternate both and print the medians."""
    ours: list[dict[str, float]] = []
    bare: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as home:
        widgets = str(int(run(OURS, home)["widgets"]))
        run(BARE, home, widgets)
        for _ in range(rounds):
            ours.append(run(OURS, home))
            bare.append(run(BARE, home, widgets))
    ours_ms, bare_ms = (statistics.median(r["ms"] for r in rows) for rows in (ours, bare))
    ours_rss, bare_rss = (statistics.median(r["rss"] for r in rows) for rows in (ours, bare))
    print(f"bare window, {widgets} widgets: {bare_ms:.0f} ms to first paint, {bare_rss:.0f} MB")
    print(f"VPA Desktop, {widgets} widgets: {ours_ms:.0f} ms to first paint, {ours_rss:.0f} MB")
    print(f"ratio: {ours_ms / bare_ms:.2f} in time (target at most 2.0), {ours_rss / bare_rss:.2f} in memory")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
