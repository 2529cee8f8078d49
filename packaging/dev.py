#!/usr/bin/env python3
"""Sets the project up and starts it, or its tests. Needs Python 3.11 or newer and nothing else.

    python3 packaging/dev.py run [ARGUMENTS...]     set up, then open the window (or run one command: run ask "hello")
    python3 packaging/dev.py test                   set up, then run all tests (suite.py says how)
    python3 packaging/dev.py test ARGUMENTS...      set up, then run pytest with these arguments
    python3 packaging/dev.py setup                  only set up everything, the extra models too
    python3 packaging/dev.py clean                  remove .venv

Options, before the command: --models (install the extra models too), --no-models (leave them out),
--verbose (show what pip and apt print).

`run` opens the window as soon as the program is there: it leaves out the extra models, which need torch
(about a gigabyte), unless --models is given. `test` and `setup` install them, unless --no-models is given.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

NEEDED = (3, 11)
EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130
COMMANDS = ("run", "test", "setup", "clean", "help")


def use_a_new_enough_python() -> None:
    """Go on with a newer Python where this one is too old and another is there; else say what is needed."""
    if sys.version_info[:2] >= NEEDED:
        return
    import shutil

    for minor in (13, 12, 11):
        other = shutil.which(f"python3.{minor}")
        if other:
            sys.exit(subprocess.call([other, *sys.argv]))
    here = ".".join(str(part) for part in sys.version_info[:3])
    print(
        f"error: This is Python {here}. VPA Desktop needs Python 3.11 or newer. Install it, then start again with it.",
        file=sys.stderr,
    )
    sys.exit(EXIT_FAILED)


use_a_new_enough_python()

import debian  # noqa: E402
import environment as env  # noqa: E402
import suite  # noqa: E402

UNAVAILABLE = f"{env.MODELS}-unavailable"


def wanted_parts(command: str, models: bool | None) -> list[str]:
    """The parts a command needs, in the order of installation."""
    parts = [env.BASE, env.LOCAL_MODEL]
    if command in ("test", "setup"):
        parts.append(env.DEV)
    if models if models is not None else command in ("test", "setup"):
        parts.append(env.MODELS)
    return parts


def set_up(parts: Sequence[str], report: env.Reporter, retry_models: bool) -> None:
    """Bring ``.venv`` to hold these parts; does nothing, quickly, where it does. Raises SetupFailed."""
    if not missing_parts(parts, retry_models):
        return
    with env.alone(report):
        install(missing_parts(parts, retry_models), report)


def missing_parts(parts: Sequence[str], retry_models: bool) -> list[str]:
    """What is still to install; models that could not be had are only wanted again when asked for."""
    done = env.read_stamp()
    given_up = UNAVAILABLE in done and not retry_models
    return [part for part in parts if part not in done and not (part == env.MODELS and given_up)]


def install(todo: Sequence[str], report: env.Reporter) -> None:
    """Install these parts and write each down when it is done; raises SetupFailed."""
    if not todo:
        return
    done = env.read_stamp()
    report.plan(len(todo) + 1)
    report.step(f"Python environment in {env.VENV}")
    env.make_environment(report)
    for part in todo:
        report.step(f"Installing {env.TITLES[part]}")
        try:
            env.install_part(part, report)
        except env.SetupFailed as failed:
            if part != env.MODELS:
                raise
            report.say(f"      {failed}")
            report.say(
                "      Going on without the extra models: only sentence-transformers and Transformers need them."
            )
            part = UNAVAILABLE
        done = [*done, part]
        env.write_stamp(done)
    report.say(f"Ready after {report.elapsed_s():.0f} s; .venv takes {env.disk_use_mb(env.VENV)} MB.")


def start(command: Sequence[str], environment: dict[str, str]) -> NoReturn:
    """Become the command where the system can, else wait for it; its exit code is ours."""
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name != "nt":
        os.execve(command[0], list(command), environment)
    process = subprocess.Popen(list(command), env=environment)
    while True:
        try:
            sys.exit(process.wait())
        except KeyboardInterrupt:
            continue  # the console gave Ctrl+C to the program as well; it decides how to end


def run_program(arguments: Sequence[str]) -> NoReturn:
    """Start the program in the person's own working directory."""
    # -P: a file of the working directory must never be imported in the place of a package.
    start([str(env.PYTHON), "-P", "-m", "vpa_desktop", *arguments], dict(os.environ))


def run_tests(arguments: Sequence[str], report: env.Reporter) -> int:
    """Run the whole suite, or pytest where it is told what to do, without a screen and without the network.

    Both start from the project's folder. Returns the suite's exit code; raises SetupFailed.
    """
    environment = dict(os.environ)
    environment.setdefault("QT_QPA_PLATFORM", "offscreen")
    environment.update({"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"})
    here = Path.cwd()
    passed = [_absolute_test(argument, here) for argument in arguments]
    if not passed:
        return suite.run(environment, report)
    os.chdir(env.ROOT)
    start([str(env.PYTHON), "-m", "pytest", *passed], environment)


def _absolute_test(argument: str, here: Path) -> str:
    """A test named relative to another working directory, as pytest started in the project finds it."""
    path, colons, rest = argument.partition("::")
    if argument.startswith("-") or here == env.ROOT or (env.ROOT / path).exists() or not (here / path).exists():
        return argument
    return f"{here / path}{colons}{rest}"


def clean(report: env.Reporter) -> None:
    """Remove ``.venv``."""
    import shutil

    if (env.VENV / "pyvenv.cfg").exists() or env.STAMP.exists() or env.LOG.exists():
        shutil.rmtree(env.VENV)
        report.say(f"Removed {env.VENV}.")
    else:
        report.say("There is no .venv to remove.")


def parse(arguments: Sequence[str]) -> tuple[bool | None, bool, str, list[str]]:
    """Split into --models/--no-models, --verbose, the command and the rest, which is passed on untouched."""
    models: bool | None = None
    verbose = False
    rest = list(arguments)
    command = ""
    while rest and (not command or command == "setup"):
        word = rest.pop(0)
        if word in ("--models", "--no-models"):
            models = word == "--models"
        elif word in ("--verbose", "-v"):
            verbose = True
        elif word in ("--help", "-h"):
            command = "help"
        elif not command and word in COMMANDS:
            command = word
        else:
            print(f'error: "{word}" is not known here. Known: {", ".join(COMMANDS)}.', file=sys.stderr)
            sys.exit(EXIT_USAGE)
    if rest[:1] == ["--"] and command == "run":
        rest.pop(0)
    return models, verbose, command, rest


def main(arguments: Sequence[str]) -> int:
    """Run one command; returns its exit code where it does not become another program."""
    models, verbose, command, rest = parse(arguments)
    if command in ("", "help"):
        print(__doc__.strip())
        return 0 if command else EXIT_USAGE
    report = env.Reporter(verbose)
    if command == "clean":
        clean(report)
        return 0
    try:
        debian.ensure_packages(command != "run", report)
        set_up(wanted_parts(command, models), report, retry_models=models is True or command == "setup")
        if command == "test":
            return run_tests(rest, report)
    except env.SetupFailed as failed:
        for line in failed.details:
            report.say(f"      {line}")
        report.say(f"error: {failed}. Start the same command again to go on from here.")
        return EXIT_FAILED
    except KeyboardInterrupt:
        report.say("Stopped. The same command goes on from here next time.")
        return EXIT_INTERRUPTED
    if command == "run":
        run_program(rest)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
