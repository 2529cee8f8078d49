"""Pictures and scanned pages: read where a program is there that reads them, else counted, with what to do."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vpa_desktop.config import resource_path
from vpa_desktop.errors import DocumentUnreadable
from vpa_desktop.rag import recognition
from vpa_desktop.rag.loaders import Reading, load
from vpa_desktop.rag.parser_process import ChunkSizes, ParsedDocument, Parser

SIZES = ChunkSizes(resource_path("models", "tokenizer.json"))
SCAN = "kreuzberg__image_only_german_pdf.pdf"
# A stand-in for the program: it says which languages it knows, and "reads" how much it was given.
PROGRAM = """#!{python}
import sys
if "--list-langs" in sys.argv:
    print("List of available languages (3):\\neng\\nosd\\nxyz")
else:
    picture = sys.stdin.buffer.read()
    kind, size = picture[:2].decode(), picture.split(b"\\n")[1].decode()
    print(f"Recognised {{kind}} of {{size}} with {{' '.join(sys.argv[1:])}}.")
"""


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    recognition.languages.cache_clear()
    yield
    recognition.languages.cache_clear()


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a program named tesseract, and nothing else on the path."""
    if sys.platform == "win32":
        pytest.skip("the stand-in is a script")
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "tesseract"
    program.write_text(PROGRAM.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


@pytest.fixture
def missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


def parsed(path: Path) -> ParsedDocument:
    parser = Parser(SIZES)
    try:
        return parser.parse_file(path)
    finally:
        parser.close()


@pytest.mark.usefixtures("installed")
def test_scanned_pages_are_read_with_their_numbers(documents: Path) -> None:
    document = parsed(documents / SCAN)
    assert not document.image_only
    assert document.remark == ""
    assert [chunk.page for chunk in document.chunks] == [1, 2, 3]
    assert document.chunks[0].text.startswith("Recognised P5 of ")
    assert document.chunks[0].text.endswith("with - - -l eng+xyz --psm 1.")


@pytest.mark.usefixtures("missing")
def test_without_the_program_they_are_counted_and_it_is_named(documents: Path) -> None:
    document = parsed(documents / SCAN)
    assert document.image_only
    assert document.remark == (
        f"{SCAN} has no text. Its 3 pages are pictures without text behind, as a camera or a scanner makes them. "
        "Install the program tesseract, which reads what is written in pictures, and add it again."
    )
    picture = parsed(documents / "markitdow__test_llm.jpg")
    assert picture.image_only
    assert "Its only page is a picture" in picture.remark


def drawn(path: Path, *sizes: tuple[int, int], mode: str = "RGB") -> Path:
    from PIL import Image

    first, *rest = (Image.new(mode, size) for size in sizes)
    first.save(path, save_all=bool(rest), append_images=rest) if rest else first.save(path)
    return path


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("name", "mode"), [("a.png", "RGBA"), ("a.jpg", "RGB"), ("a.gif", "P"), ("a.webp", "RGB"), ("a.bmp", "1")]
)
def test_pictures_of_every_kind_are_handed_over_in_grey(tmp_path: Path, name: str, mode: str) -> None:
    document = parsed(drawn(tmp_path / name, (200, 100), mode=mode))
    assert document.chunks[0].text.startswith("Recognised P5 of 200 100")


@pytest.mark.usefixtures("installed")
def test_a_picture_of_many_pages_has_their_numbers_and_a_tiny_one_no_text(tmp_path: Path) -> None:
    document = parsed(drawn(tmp_path / "fax.tiff", (200, 100), (300, 100)))
    assert [(chunk.page, "300 100" in chunk.text) for chunk in document.chunks] == [(1, False), (2, True)]
    icon = parsed(drawn(tmp_path / "icon.png", (16, 16)))
    assert icon.image_only
    assert "text recognition found no words" in icon.remark


def test_when_the_time_is_over_the_rest_is_counted(documents: Path) -> None:
    seen: list[Any] = []

    def read_one(picture: Any) -> str:
        if seen:
            raise recognition.OutOfTime
        seen.append(picture)
        return "only the first page"

    document = load(documents / SCAN, Reading(read_one))
    assert [(part.page, part.text) for part in document.parts] == [(1, "only the first page")]
    assert document.pictures == 2
    with pytest.raises(recognition.OutOfTime):
        recognition.Tesseract(0)(seen[0])


def test_a_picture_that_is_none_or_far_too_large_is_a_sentence(tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n" + b"\x00" * 50)
    with pytest.raises(DocumentUnreadable, match="is damaged"):
        load(broken)
    with pytest.raises(DocumentUnreadable, match="too large a picture"):
        load(drawn(tmp_path / "huge.png", (20_000, 6_000), mode="1"))
