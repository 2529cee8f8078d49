#!/usr/bin/env python3
"""Walks a Debian package through its life in a clean Debian 12 root and prints what it saw and how long it took.

    sudo python3 packaging/build.py deb && sudo python3 packaging/build.py deb --keep --revision 2
    sudo python3 packaging/try_deb.py dist/vpa-desktop_*-1_*.deb dist/vpa-desktop_*-2_*.deb

Options: --root DIR (made with debootstrap where it is not there; build/debroot), --shots DIR (pictures of the window).
Needs root, debootstrap, unshare and ip. The person's commands run with no network but loopback. A step that fails
is said and makes the exit code 1; the others go on.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOR_THE_WINDOW = ["xvfb", "xauth", "dbus", "dbus-x11", "at-spi2-core", "xdotool", "scrot", "openbox", "procps"]
"""What stands in for a desktop and the person before it; installed after the package, which must bring its own."""

PERSON = "person"
DEVICES = ("proc", "dev")
DOCUMENT = (
    "# Lease of 12 Mill Lane\n\n## Notice\n\nThe notice period is three months to the end of a quarter. "
    "Notice must be given in writing.\n\n## Rent\n\nThe rent is 840 euros a month, due on the third working day.\n"
)
QUESTION = "What is the notice period of the lease?"
SMALL_MB = 60


class Failed(Exception):
    """Something did not go as it should."""


class Debian:
    """A Debian root and what is done in it."""

    def __init__(self, folder: Path, mirror: str | None) -> None:
        self.folder = folder
        if not (folder / "etc" / "debian_version").exists():
            subprocess.run(
                ["debootstrap", "--variant=minbase", "bookworm", str(folder), *([mirror] if mirror else [])], check=True
            )

    def root(self, *command: str, check: bool = True, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a command as root, with the network."""
        given = [
            f"{name}={value}"
            for name, value in {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8", **environ}.items()
        ]
        return self._run(["chroot", str(self.folder), "env", *given, *command], check)

    def mount(self) -> None:
        """Give it /proc and /dev, where it has them not."""
        for name in DEVICES:
            place = self.folder / name
            if subprocess.run(["mountpoint", "-q", str(place)], check=False).returncode:
                subprocess.run(["mount", "--rbind", f"/{name}", str(place)], check=True)
                # What is unmounted in here later must stay mounted out there.
                subprocess.run(["mount", "--make-rslave", str(place)], check=True)

    def unmount(self) -> None:
        """Take them away again."""
        for name in DEVICES:
            subprocess.run(
                ["umount", "--recursive", "--lazy", str(self.folder / name)], check=False, capture_output=True
            )

    def person(self, line: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a line of shell as the person, with no network but loopback."""
        return self._run(self.person_command(line), check)

    def person_command(self, line: str) -> list[str]:
        """What runs a line of shell as the person."""
        script = f'ip link set lo up; exec chroot --userspec={PERSON}:{PERSON} {self.folder} /bin/sh -c "$1"'
        environ = f"export HOME=/home/{PERSON} USER={PERSON} PATH=/usr/bin:/bin LC_ALL=C.UTF-8; cd; {line}"
        return ["unshare", "--net", "sh", "-c", script, "sh", environ]

    def _run(self, command: list[str], check: bool, timeout: float = 900) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False
        )
        if check and done.returncode:
            tail = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
            raise Failed(f"{command[-1][-200:]}: exit code {done.returncode}\n{tail}")
        return done


class Walk:
    """The steps, in order; each prints one line or more."""

    def __init__(self, debian: Debian, first: Path, second: Path, shots: Path) -> None:
        self.debian, self.first, self.second, self.shots = debian, first, second, shots
        self.failures = 0
        self.window: subprocess.Popen[str] | None = None

    def step(self, title: str, act: Callable[[], str]) -> None:
        """Do one step and say how it went and how long it took."""
        began = time.monotonic()
        try:
            said = act()
            mark = "ok  "
        except (Failed, subprocess.TimeoutExpired, OSError, ValueError, KeyError, IndexError) as exc:
            self.failures += 1
            said, mark = str(exc), "FAIL"
        print(f"{mark} {title} ({time.monotonic() - began:.1f} s): {said}", flush=True)

    def walk(self) -> int:
        """Do them all; returns the exit code."""
        try:
            self.step("installed with apt", self.install)
            self.step("its libraries are all there", self.libraries)
            self.step("size", self.size)
            self.step("files of the desktop", self.desktop_files)
            self.step("person and desktop", self.prepare)
            self.step("doctor", self.doctor)
            self.step("answer with no network", self.ask)
            self.step("document added", self.add)
            self.step("answer from the document, cited", self.cite)
            self.step("serve", self.serve)
            self.step("window from its desktop entry", self.open_window)
            self.step("answer in the window", self.ask_in_window)
            self.step("upgraded while the window is open", self.upgrade_open)
            self.step("the open window goes on", self.ask_again)
            self.step("window closed", self.close_window)
            self.step("after the upgrade", self.after_upgrade)
            self.step("an older version over a newer one", self.downgrade)
            self.step("without rights", self.without_rights)
            self.step("without room", self.without_room)
            self.step("a home that cannot be written", self.unwritable)
            self.step("data of a newer version", self.newer_data)
            self.step("removed", self.remove)
            self.step("purged", self.purge)
        finally:
            self.end_window()
            self.debian.unmount()
        return 1 if self.failures else 0

    # The package

    def install(self) -> str:
        self.debian.root("apt-get", "update", "-q")
        self.debian.root("sh", "-c", "dpkg --purge vpa-desktop >/dev/null 2>&1; rm -rf /etc/vpa-desktop", check=False)
        shutil.copy(self.first, self.debian.folder / "tmp" / "first.deb")
        shutil.copy(self.second, self.debian.folder / "tmp" / "second.deb")
        done = self.debian.root("apt-get", "install", "-y", "-q", "--no-install-recommends", "/tmp/first.deb")
        count = re.search(r"(\d+) newly installed", done.stdout)
        return f"{count.group(1) if count else '?'} packages, the program among them; {self._version()}"

    def libraries(self) -> str:
        self.debian.root("/usr/bin/vpa-desktop", "--vpa-child", "qt-check")
        missing = self.debian.root(
            "sh",
            "-c",
            "find /usr/lib/vpa-desktop -name '*.so*' -type f | xargs -n1 ldd 2>/dev/null | grep 'not found' | sort -u",
            check=False,
            LD_LIBRARY_PATH=self._inside(),
        ).stdout.split("\n")
        names = sorted({line.split()[0] for line in missing if line.strip()})
        if names:
            raise Failed(f"not found: {', '.join(names)}")
        return "Qt loads; nothing that any library is linked with is missing"

    def size(self) -> str:
        installed = self.debian.root("du", "-sm", "/usr/lib/vpa-desktop").stdout.split()[0]
        return f"{self.first.stat().st_size / 1e6:.0f} MB to fetch, {installed} MiB on disk"

    def desktop_files(self) -> str:
        listed = self.debian.root("dpkg", "-L", "vpa-desktop").stdout.splitlines()
        found = [
            line for line in listed if re.search(r"/usr/(bin|share)/.*[^/]$", line) and "." in line.rpartition("/")[2]
        ]
        return f"{len(found)} in /usr/share, {len(listed)} in all"

    def prepare(self) -> str:
        self.debian.root("apt-get", "install", "-y", "-q", "--no-install-recommends", *FOR_THE_WINDOW)
        self.debian.root("sh", "-c", f"id {PERSON} >/dev/null 2>&1 || useradd -m {PERSON}")
        self.debian.root(
            "sh", "-c", f"chmod -R u+w /home/{PERSON}; rm -rf /home/{PERSON}/.local /home/{PERSON}/.config"
        )
        folder = self.debian.folder / "home" / PERSON
        (folder / "lease.md").write_text(DOCUMENT)
        self.debian.mount()
        return f"a person named {PERSON}, Xvfb, openbox, a session bus"

    # The command line

    def doctor(self) -> str:
        found = self._json("vpa-desktop doctor --json")
        wrong = [f["check"] for f in found["findings"] if not f["ok"]]
        if not found["ok"]:
            raise Failed(f"not well: {wrong}")
        return (
            f"{len(found['findings'])} checks, all that is needed is there; notes on: {', '.join(wrong) or 'nothing'}"
        )

    def ask(self) -> str:
        found = self._json("vpa-desktop ask --json --no-docs 'What is a circuit breaker, in one sentence?'")
        return f"{found['provider']} after {found['ttft_ms']:.0f} ms: {found['content'][:90]!r}"

    def add(self) -> str:
        found = self._json("vpa-desktop docs add lease.md --json")
        if found["failed"] or found["added"] != 1:
            raise Failed(str(found))
        return f"{found['chunks']} passages in {found['seconds']:.1f} s"

    def cite(self) -> str:
        found = self._json(f"vpa-desktop ask --json --docs '{QUESTION}'")
        if not found["citations"] or "three months" not in found["content"]:
            raise Failed(f"{found['content']!r}, {found['citations']}")
        first = found["citations"][0]
        return f"{found['content'][:90]!r}, [{first['n']}] {first['document']}"

    def serve(self) -> str:
        line = (
            "rm -f serve.log; vpa-desktop serve --port 8099 >serve.log 2>&1 & p=$!; "
            "for n in $(seq 60); do grep -q 8099 serve.log && break; sleep 0.5; done; sleep 1; "
            "kill -0 $p && kill $p; wait $p; head -3 serve.log"
        )
        said = self.debian.person(line, check=False).stdout
        if "8099" not in said:
            raise Failed(said)
        return said.splitlines()[0][:100]

    # The window

    def open_window(self) -> str:
        entry = (self.debian.folder / "usr/share/applications/vpa-desktop.desktop").read_text()
        command = re.sub(r" %\w", "", re.findall(r"^Exec=(.*)$", entry, re.MULTILINE)[0])
        session = (
            "Xvfb :7 -screen 0 1366x960x24 -nolisten tcp >/dev/null 2>&1 & "
            "export DISPLAY=:7; sleep 2; dbus-run-session -- sh -c '"
            "openbox & sleep 1; date +%s.%N >started; "
            f"({command}) 2>window.log & "
            'xdotool search --sync --onlyvisible --name "VPA Desktop" >window.id; date +%s.%N >shown; wait\''
        )
        self._clear("started", "shown", "window.id")
        self.window = subprocess.Popen(self.debian.person_command(session), stdin=subprocess.DEVNULL, text=True)
        self._wait_for(lambda: self._file("shown"), 60, "no window appeared")
        took = float(self._file("shown")) - float(self._file("started"))
        time.sleep(6)
        self._shot("1-window.png")
        return f"Exec={command}, visible after {took:.2f} s"

    def ask_in_window(self) -> str:
        before = self._messages()
        self._type(QUESTION)
        self._wait_for(lambda: self._messages() >= before + 2, 120, "no answer arrived")
        time.sleep(3)
        self._shot("2-cited-answer.png")
        return f"{self._messages() - before} messages more"

    def upgrade_open(self) -> str:
        done = self.debian.root("apt-get", "install", "-y", "-q", "--no-install-recommends", "/tmp/second.deb")
        note = next(
            (line for line in (done.stdout + done.stderr).splitlines() if line.startswith("VPA Desktop is")), ""
        )
        folders = sorted(path.name for path in (self.debian.folder / "usr/lib/vpa-desktop").iterdir())
        if not note or len(folders) != 2:
            raise Failed(f"{note!r} {folders}")
        return f"{self._version()}; kept beside each other: {', '.join(folders)}; said: {note}"

    def ask_again(self) -> str:
        before = self._messages()
        self._type("And how high is the rent?")
        self._wait_for(lambda: self._messages() >= before + 2, 120, "no answer arrived after the upgrade")
        time.sleep(2)
        self.debian.person("DISPLAY=:7 xdotool key ctrl+3", check=False)  # the dashboard loads what was not loaded yet
        time.sleep(4)
        self._shot("3-after-upgrade.png")
        return "answered, and the dashboard opened"

    def close_window(self) -> str:
        self.debian.person("DISPLAY=:7 xdotool key alt+F4", check=False)
        self._wait_for(lambda: not self._is_open(), 20, "it did not close")
        self.end_window()
        log = self._file("window.log")
        return f"it printed: {log!r}" if log else "it printed nothing"

    def after_upgrade(self) -> str:
        version = self.debian.person("vpa-desktop --version").stdout.strip()
        chats = self._json("vpa-desktop chats list --json")
        self.debian.root("dpkg-reconfigure", "vpa-desktop")
        folders = [path.name for path in (self.debian.folder / "usr/lib/vpa-desktop").iterdir()]
        if len(folders) != 1:
            raise Failed(f"the old version was not taken away: {folders}")
        return f"{version}, {len(_rows(chats))} conversations there, the old files gone: {folders[0]}"

    # Bad input

    def downgrade(self) -> str:
        before = self._version()
        done = self.debian.root("apt-get", "install", "-y", "-q", "/tmp/first.deb", check=False)
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("E:")]
        if not done.returncode or self._version() != before:
            raise Failed(f"{done.returncode} {self._version()}")
        return f"{' '.join(said)} Still {self._version()}"

    def without_rights(self) -> str:
        done = self.debian.person("dpkg -i /tmp/first.deb", check=False)
        if not done.returncode:
            raise Failed("it was installed")
        return done.stderr.strip().splitlines()[-1]

    def without_room(self) -> str:
        place = self.debian.folder / "usr/lib/vpa-desktop"
        self.debian.root("dpkg", "--remove", "vpa-desktop")
        place.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SMALL_MB}m", "tmpfs", str(place)], check=True)
        try:
            done = self.debian.root("dpkg", "-i", "/tmp/second.deb", check=False)
        finally:
            subprocess.run(["umount", str(place)], check=True)
        said = next((line for line in done.stderr.splitlines() if line.startswith("error:")), done.stderr)
        self.debian.root("dpkg", "-i", "/tmp/second.deb")
        if not done.returncode or not said.startswith("error:"):
            raise Failed(said)
        return said

    def unwritable(self) -> str:
        self.debian.person("mkdir shut; chmod 500 shut")
        done = self.debian.person("HOME=$HOME/shut vpa-desktop ask Hello", check=False)
        self.debian.person("rmdir shut")
        return self._one_sentence(done)

    def newer_data(self) -> str:
        home = self.debian.folder / "home" / PERSON / ".local/share/vpa-desktop"
        database = home / "vpa.db"
        kept = database.read_bytes()
        with database.open("r+b") as file:  # the version lies in the header (user_version, bytes 60 to 63)
            file.seek(60)
            file.write((2_000_000).to_bytes(4, "big"))
        changed = database.read_bytes()
        shown = self.debian.person("vpa-desktop chats list", check=False)
        done = self.debian.person("vpa-desktop docs add lease.md", check=False)
        intact = database.read_bytes() == changed
        database.write_bytes(kept)
        if not intact or "newer version" not in shown.stderr + done.stderr:
            raise Failed(f"intact: {intact}; {shown.stderr!r} {done.stderr!r}")
        return f"file unchanged; said: {(shown.stderr + done.stderr).strip().splitlines()[0]}"

    # The end

    def remove(self) -> str:
        policy = self.debian.folder / "etc/vpa-desktop/policy.toml"
        policy.parent.mkdir(exist_ok=True)
        policy.write_text("")
        self.debian.root("apt-get", "remove", "-y", "-q", "vpa-desktop")
        left = [
            place for place in ("usr/lib/vpa-desktop", "usr/bin/vpa-desktop") if (self.debian.folder / place).exists()
        ]
        if left or not policy.exists() or not self._has_data():
            raise Failed(f"left: {left}, policy there: {policy.exists()}, data there: {self._has_data()}")
        return "program gone; policy and the person's data there"

    def purge(self) -> str:
        done = self.debian.root("apt-get", "purge", "-y", "-q", "vpa-desktop")
        if (self.debian.folder / "etc/vpa-desktop").exists() or not self._has_data():
            raise Failed("the policy stayed, or the person's data went")
        left = self.debian.root("find", "/usr", "/etc", "/var/lib/dpkg/info", "-name", "*vpa-desktop*").stdout.split()
        if left:
            raise Failed(f"left: {left}")
        said = next((line for line in (done.stdout + done.stderr).splitlines() if line.startswith("VPA Desktop:")), "")
        return f"policy gone, nothing left in the system, the person's data there. It said: {said}"

    # How it is looked at

    def _json(self, command: str) -> Any:
        done = self.debian.person(command, check=False)
        if done.returncode:
            raise Failed(f"exit code {done.returncode}: {done.stderr.strip()[-400:]}")
        return json.loads(done.stdout)

    def _one_sentence(self, done: subprocess.CompletedProcess[str]) -> str:
        said = done.stderr.strip()
        if not done.returncode or not said.startswith("error:") or "\n" in said:
            raise Failed(f"exit code {done.returncode}: {said}")
        return said

    def _version(self) -> str:
        return self.debian.root("dpkg-query", "-W", "-f=${Package} ${Version}", "vpa-desktop").stdout

    def _inside(self) -> str:
        folder = next((self.debian.folder / "usr/lib/vpa-desktop").iterdir())
        return f"/usr/lib/vpa-desktop/{folder.name}/_internal"

    def _messages(self) -> int:
        chats = _rows(self._json("vpa-desktop chats list --json"))
        return sum(len(_rows(self._json(f"vpa-desktop chats show {chat['id']} --json"))) for chat in chats)

    def _type(self, text: str) -> None:
        self.debian.person(f"export DISPLAY=:7; xdotool type --delay 15 '{text}'; sleep 0.5; xdotool key Return")

    def _shot(self, name: str) -> None:
        self.shots.mkdir(parents=True, exist_ok=True)
        self.debian.person(f"rm -f {name}; DISPLAY=:7 scrot {name}")
        shutil.copy(self.debian.folder / "home" / PERSON / name, self.shots / name)

    def _file(self, name: str) -> str:
        path = self.debian.folder / "home" / PERSON / name
        return path.read_text().strip() if path.exists() else ""

    def _clear(self, *names: str) -> None:
        for name in names:
            (self.debian.folder / "home" / PERSON / name).unlink(missing_ok=True)

    def _wait_for(self, come: Callable[[], Any], seconds: float, otherwise: str) -> None:
        end = time.monotonic() + seconds
        while not come():
            if time.monotonic() > end:
                raise Failed(f"{otherwise}: {self._file('window.log')}")
            time.sleep(0.2)

    def _is_open(self) -> bool:
        place = str(self.debian.folder / "usr/lib/vpa-desktop")
        for exe in Path("/proc").glob("[0-9]*/exe"):
            try:
                if str(exe.readlink()).startswith(place):
                    return True
            except OSError:
                continue
        return False

    def _has_data(self) -> bool:
        return (self.debian.folder / "home" / PERSON / ".local/share/vpa-desktop/vpa.db").exists()

    def end_window(self) -> None:
        """End what the window's step started."""
        if self.window is not None:
            self.debian.person("pkill -u person Xvfb; pkill -u person openbox", check=False)
            self.window.wait(20)
            self.window = None


def _rows(found: Any) -> list[Any]:
    """The rows of a printed document, whatever it calls them."""
    if isinstance(found, list):
        return found
    return next(value for value in found.values() if isinstance(value, list))


def main(arguments: Sequence[str]) -> int:
    """Walk; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path, help="the same with a higher version")
    parser.add_argument("--root", type=Path, default=ROOT / "build" / "debroot")
    parser.add_argument("--mirror", help="where debootstrap fetches from")
    parser.add_argument("--shots", type=Path, default=ROOT / "build" / "shots")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    code = Walk(Debian(options.root.absolute(), options.mirror), options.first, options.second, options.shots).walk()
    print(f"{time.monotonic() - began:.0f} s in all")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
