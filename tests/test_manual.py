"""The README as help: its topics, its tables, and the man page that is made from it and from the parser."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vpa_desktop import errors
from vpa_desktop.errors import VPAError
from vpa_desktop.manual import anchor_of, find_topics, read_topics, table_rows

ROOT = Path(__file__).resolve().parents[1]
TEXT = """
# Title

Beginning.

## First things

Some words about keys.

```toml
## no heading
# neither
```

### Keys & more

| name | what |
|---|---|
| `a` | one |
| b | two |
"""


def test_sections_are_topics_and_code_is_no_heading() -> None:
    topics = read_topics(TEXT)
    assert [(t.title, t.level) for t in topics] == [("Title", 1), ("First things", 2), ("Keys & more", 3)]
    assert "## no heading" in topics[1].text
    assert anchor_of("Keys & more") == "keys--more"
    assert table_rows(topics[2].text) == [["`a`", "one"], ["b", "two"]]


def test_topics_are_found_by_title_first_then_by_their_words() -> None:
    topics = read_topics(TEXT)
    assert [t.title for t in find_topics(["keys"], topics)] == ["Keys & more", "First things"]
    assert [t.title for t in find_topics(["First", "things"], topics)] == ["First things"]
    assert [t.title for t in find_topics(["first-things"], topics)] == ["First things"]
    assert find_topics(["nowhere"], topics) == []


def test_the_readme_tells_every_exit_code_that_an_error_has() -> None:
    codes = {kind.exit_code for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, VPAError)}
    section = next(topic for topic in read_topics() if topic.title == "Exit codes")
    told = {int(row[i]) for row in table_rows(section.text) for i in (0, 2)}
    assert told == codes | {0, 130}


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("man") / "vpa-desktop.1"
    command = [sys.executable, str(ROOT / "packaging" / "man_page.py"), "-o"]
    for path in (target, target.with_suffix(".1.gz")):
        environ = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
        subprocess.run([*command, str(path)], check=True, cwd=target.parent, env=environ)
    return target


def test_the_man_page_has_every_command_with_its_options(page: Path) -> None:
    text = page.read_text()
    assert '.SS "ask [TEXT...]"' in text
    assert '.SS "keys rotate ID"' in text
    assert "\\fB\\-\\-conversation\\fR \\fIID|new\\fR" in text
    assert ".TH VPA-DESKTOP 1 " in text
    assert "2023-11-14" in text
    assert text.index(".SH EXIT STATUS") < text.index("a spending limit was reached") < text.index(".SH ENVIRONMENT")
    assert "\nNone\n" not in text  # an argument without a word of help
    assert gzip.decompress(page.with_suffix(".1.gz").read_bytes()) == page.read_bytes()


@pytest.mark.parametrize(
    "check", [["mandoc", "-T", "lint", "-W", "style"], ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z"]]
)
def test_the_man_page_is_sound_roff(check: list[str], page: Path) -> None:
    if not shutil.which(check[0]):
        pytest.skip(f"{check[0]} is not installed")
    done = subprocess.run([*check, str(page)], capture_output=True, text=True, check=False)
    complaints = done.stdout if check[0] == "mandoc" else done.stderr
    assert (done.returncode, complaints) == (0, "")
