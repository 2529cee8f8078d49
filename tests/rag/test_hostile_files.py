"""Files that are broken, endless or built to do harm: each ends in its text or in one sentence, and nothing else."""

from __future__ import annotations

import io
import os
import random
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rag.conftest import DOCUMENTS
from tests.rag.test_office import ODF
from vpa_desktop.config import resource_path
from vpa_desktop.document_kinds import DOCUMENT_KINDS
from vpa_desktop.errors import DocumentUnreadable
from vpa_desktop.rag.loaders import LoadedDocument, Reading, load, load_bytes, read_regular
from vpa_desktop.rag.parser_process import ChunkSizes, Parser

SUFFIXES = sorted(suffix for kind in DOCUMENT_KINDS for suffix in kind.suffixes)
TEXT_SUFFIXES = (".csv", ".json", ".jsonl", ".xml", ".html", ".md", ".ipynb", ".eml", ".txt", ".py", ".rtf", ".yaml")
SAMPLES = (
    "kreuzberg__word_sample.docx",
    "kreuzberg__powerpoint_sample.pptx",
    "markitdow__test.xlsx",
    "markitdow__test.xls",
    "kreuzberg__trackedChanges.odt",
    "markitdow__test.epub",
    "kreuzberg__word_sample.rtf",
    "kreuzberg__fake_email.msg",
    "tika__testPPT_embeded.ppt",
    "kreuzberg__simple.ipynb",
)
LAUGHS = '<!DOCTYPE d [<!ENTITY a SYSTEM "{uri}"><!ENTITY l0 "ha">{more}]>'


def outcome(data: bytes, name: str) -> LoadedDocument | None:
    """What is read, None where it is refused with a sentence; anything else is the test's failure."""
    try:
        return load_bytes(data, Path(name), Reading())
    except DocumentUnreadable as refusal:
        if not refusal.why:
            raise
        return None


@given(st.binary(max_size=400), st.sampled_from(SUFFIXES))
def test_any_bytes_under_any_name(data: bytes, suffix: str) -> None:
    outcome(data, f"x{suffix}")


@given(st.text(max_size=300), st.sampled_from(TEXT_SUFFIXES))
def test_any_text_under_any_name(text: str, suffix: str) -> None:
    document = outcome(text.encode("utf-8", "surrogatepass"), f"x{suffix}")
    for part in document.parts if document else ():
        part.text.encode("utf-8")
        part.section.encode("utf-8")
        assert "\x00" not in part.text


@pytest.mark.parametrize("name", SAMPLES)
def test_real_files_with_bytes_changed(documents: Path, name: str) -> None:
    whole = (documents / name).read_bytes()
    chance = random.Random(name)
    for _ in range(25):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 5, 50))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        outcome(bytes(data[: chance.choice((len(data), len(data) // 2))]), name)


@pytest.mark.parametrize("name", [name for name in SAMPLES if name.endswith(("x", "t", "epub"))])
def test_real_containers_with_their_xml_changed(documents: Path, name: str) -> None:
    whole = (documents / name).read_bytes()
    if not whole.startswith(b"PK"):
        pytest.skip("no ZIP container")
    chance = random.Random(name)
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        members = {entry: archive.read(entry) for entry in archive.namelist()}
    for entry in [entry for entry in members if members[entry] and entry.endswith((".xml", ".rels", ".opf", ".xhtml"))][
        :12
    ]:
        data = bytearray(members[entry])
        for _ in range(10):
            data[chance.randrange(len(data))] = chance.randrange(32, 127)
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, content in members.items():
                archive.writestr(member, bytes(data) if member == entry else content)
        outcome(made.getvalue(), name)


@pytest.mark.parametrize("name", ["x.xml", "x.rss", "x.fodt"])
def test_entities_are_neither_expanded_nor_fetched(tmp_path: Path, name: str) -> None:
    secret = tmp_path / "canary.txt"
    secret.write_text("canary words")
    more = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 12))
    head = LAUGHS.format(uri=secret.as_uri(), more=more)
    bodies = {
        "x.xml": "<d><a>before &a; &l11; after</a></d>",
        "x.rss": "<rss><channel><item><title>before &a;</title><description>&l11;</description></item></channel></rss>",
        "x.fodt": f"<d {ODF}><office:body><text:p>before &a; &l11; after</text:p></office:body></d>",
    }
    document = outcome(f"<?xml version='1.0'?>{head}{bodies[name]}".encode(), name)
    text = "".join(part.text for part in document.parts) if document else ""
    assert "canary words" not in text
    assert len(text) < 5000


@pytest.mark.parametrize("suffix", [".xml", ".html", ".json", ".rtf", ".md", ".fodt"])
def test_deep_nesting_ends(suffix: str) -> None:
    opened = {".json": "[", ".rtf": "{", ".md": "> "}.get(suffix, "<div>")
    start = {".rtf": "{\\rtf1 ", ".fodt": f"<?xml version='1.0'?><office:document {ODF}><office:body>"}.get(suffix, "")
    outcome((start + opened * 8_000 + "words in the middle").encode(), f"deep{suffix}")


@pytest.mark.parametrize("suffix", [".csv", ".json", ".xml", ".html", ".md", ".rtf", ".eml", ".py", ".txt", ".jsonl"])
def test_one_endless_line_stays_within_the_limits(tmp_path: Path, suffix: str) -> None:
    start = {".rtf": "{\\rtf1 ", ".eml": "From: a@b.c\nSubject: x\n\n", ".json": '{"a": "', ".xml": "<a>"}.get(
        suffix, ""
    )
    end = {".rtf": "}", ".json": '"}', ".xml": "</a>"}.get(suffix, "")
    file = tmp_path / f"endless{suffix}"
    file.write_text(start + "never, ending | words; " * 20_000 + end)
    parser = Parser(ChunkSizes(resource_path("models", "tokenizer.json")))
    try:
        document = parser.parse_file(file)
    finally:
        parser.close()
    assert len(document.chunks) > 100
    assert all(chunk.tokens <= 200 for chunk in document.chunks)


def test_a_workbook_that_needs_too_much_memory_costs_only_its_reader(tmp_path: Path) -> None:
    rows = "".join(f'<row r="{r}"><c r="XFD{r}"><v>1</v></c></row>' for r in (1, 1_048_576))
    sheet = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    sheet += f'<sheetData><row r="1"><c r="A1"><v>1</v></c></row>{rows}</sheetData></worksheet>'
    file = tmp_path / "wide.xlsx"
    with zipfile.ZipFile(DOCUMENTS / "markitdow__test.xlsx") as source, zipfile.ZipFile(file, "w") as target:
        for name in source.namelist():
            target.writestr(name, sheet if name == "xl/worksheets/sheet1.xml" else source.read(name))
    good = tmp_path / "good.txt"
    good.write_text("Fine.")
    parser = Parser(ChunkSizes(resource_path("models", "tokenizer.json")))
    try:
        with pytest.raises(DocumentUnreadable) as refusal:
            parser.parse_file(file)
        assert "wide.xlsx" in refusal.value.what
        assert parser.parse_file(good).chunks[0].text == "Fine."
    finally:
        parser.close()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs POSIX files")
def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    loop = tmp_path / "loop.txt"
    loop.symlink_to(loop)
    gone = tmp_path / "gone.txt"
    gone.symlink_to(tmp_path / "nowhere")
    for path, why in ((loop, "could not be read"), (gone, "is not there"), (Path("/dev/zero"), "is not a file")):
        with pytest.raises(DocumentUnreadable, match=why):
            load(path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_rights_says_so(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("secret")
    file.chmod(0)
    with pytest.raises(DocumentUnreadable, match="may not be read"):
        load(file)


def test_a_file_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "huge.txt"
    with file.open("wb") as handle:
        handle.truncate(300 * 2**20)
    with pytest.raises(DocumentUnreadable, match="too large"):
        read_regular(file)


def test_names_in_an_archive_are_only_names() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name in (
            "../../etc/passwd.txt",
            "/abs.txt",
            "line\nbreak.txt",
            "ümlaut \udcff.txt".encode("utf-8", "replace").decode(),
        ):
            archive.writestr(name, f"words of {len(name)}")
    document = outcome(made.getvalue(), "names.zip")
    assert document is not None
    assert [part.section for part in document.parts] == ["/abs.txt", "line break.txt", "ümlaut ?.txt"]
