"""What is read of real files, good and bad, and what is said where nothing can be read."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path

import pytest

from tests.rag.conftest import DOCUMENTS
from vpa_desktop.errors import DocumentUnreadable
from vpa_desktop.rag.loaders import LoadedDocument, load

MANIFEST = json.loads((DOCUMENTS / "manifest.json").read_text("utf-8")) if DOCUMENTS.is_dir() else []
# Counted as good by the manifest, but: thirteen pages that are pictures, and a PDF no library gets text from.
WITHOUT_TEXT = {"kreuzberg__sharable_web_guide.pdf", "sample-fi__unreadablemetadata.pdf"}
# A scan that has been through text recognition.
RECOGNISED = {"kreuzberg__scanned.pdf"}
W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def expecting(*kinds: str) -> list[str]:
    return [row["file"] for row in MANIFEST if row["expect"] in kinds]


def read_or_sentence(path: Path) -> LoadedDocument | DocumentUnreadable:
    try:
        return load(path)
    except DocumentUnreadable as refusal:
        return refusal


@pytest.mark.parametrize("name", [n for n in expecting("ok", "owner-protected", "legacy") if n not in WITHOUT_TEXT])
def test_good_files_give_their_text(documents: Path, name: str) -> None:
    document = load(documents / name)
    assert document.parts
    assert all(part.text.strip() for part in document.parts)
    assert document.title
    if name.endswith((".pdf", ".pptx", ".ppt")):
        pages = [part.page for part in document.parts]
        assert all(page is not None and 1 <= page <= (document.pages or 0) for page in pages)


@pytest.mark.parametrize("name", expecting("encrypted-user"))
def test_encrypted_files_ask_for_a_copy_without_password(documents: Path, name: str) -> None:
    with pytest.raises(DocumentUnreadable, match="protected with a password"):
        load(documents / name)


@pytest.mark.parametrize("name", expecting("empty"))
def test_empty_files_are_called_empty(documents: Path, name: str) -> None:
    with pytest.raises(DocumentUnreadable, match="is empty"):
        load(documents / name)


@pytest.mark.parametrize("name", [n for n in expecting("scan", "image") if n not in RECOGNISED])
def test_scans_are_known_as_pictures(documents: Path, name: str) -> None:
    document = load(documents / name)
    assert document.image_only
    assert document.pages


@pytest.mark.parametrize("name", expecting("malformed", "bomb", "binary"))
def test_broken_files_end_in_text_or_a_sentence(documents: Path, name: str) -> None:
    outcome = read_or_sentence(documents / name)
    if isinstance(outcome, DocumentUnreadable):
        assert name in outcome.what
        assert outcome.why
    else:
        assert outcome.parts or outcome.image_only


def test_a_bomb_is_refused_before_it_is_unpacked(documents: Path) -> None:
    with pytest.raises(DocumentUnreadable, match="unpacks to far more"):
        load(documents / "made__bomb_190MB_xml.docx")


def test_a_text_named_docx_is_told_apart(documents: Path) -> None:
    with pytest.raises(DocumentUnreadable, match=r"is not a Word document.*plain text"):
        load(documents / "made__text_named.docx")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("made__cp1251.txt", "русский"),
        ("made__latin1.txt", "Grüße"),
        ("made__shiftjis.txt", "日本語"),
        ("markitdow__test_mskanji.csv", "名前 | 年齢 | 住所"),
        ("kreuzberg__china_chinese.html", "中國"),
        ("kreuzberg__germany_german.html", "Österreich"),
    ],
)
def test_old_encodings_come_out_right(documents: Path, name: str, words: str) -> None:
    assert words in "".join(part.text for part in load(documents / name).parts)


def test_docx_headings_make_the_section_path_and_tables_rows(documents: Path) -> None:
    parts = load(documents / "kreuzberg__extraction_test.docx").parts
    table = next(part for part in parts if "Banana" in part.text)
    assert table.section == "Comprehensive Extraction Test Document > Second Section > Another Table"
    assert "Banana | $0.50 | 20" in table.text


def test_the_bookmarks_of_a_pdf_are_the_sections_of_its_pages(documents: Path) -> None:
    parts = load(documents / "sample-fi__GeoTopo-komprimiert.pdf").parts
    assert [parts[number].section for number in (0, 5, 6)] == [
        "",
        "1 Topologische Grundbegriffe",
        "1 Topologische Grundbegriffe > 1.1 Topologische Räume",
    ]


def test_a_pdf_whose_end_is_lost_is_read(documents: Path) -> None:
    document = load(documents / "made__xref_cut.pdf")
    assert document.pages == 14
    assert "Just-in-Time" in document.parts[0].text


def test_markdown_sections_are_its_headings_outside_code(tmp_path: Path) -> None:
    file = tmp_path / "notes.md"
    file.write_text(
        "intro\n\n# One\n\nfirst\n\n```\n# not a heading\n```\n\nTwo\n---\n\nsecond\n\n### Deep ###\nthird\n"
    )
    found = [(part.section, part.text) for part in load(file).parts]
    assert [section for section, _ in found] == ["", "One", "One > Two", "One > Two > Deep"]
    assert "# not a heading" in found[1][1]
    assert found[3][1].endswith("third\n")


def test_html_leaves_scripts_out_and_keeps_words_apart(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(
        "<html><title>My  page</title><body><script>alert('x')</script><h1>Top</h1><p>one</p>two"
        "<table><tr><td>a</td><td>b</td></tr></table><style>p{}</style><h2>Sub</h2><ul><li>x<li>y</ul>"
    )
    document = load(file)
    assert document.title == "My page"
    assert [part.section for part in document.parts] == ["Top", "Top > Sub"]
    assert document.parts[0].text.splitlines() == ["Top", "one", "two", "a | b"]
    assert document.parts[1].text.splitlines() == ["Sub", "x", "y"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_text_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "brief.txt"
    text = "Die Brücke über den Fluß wurde für den Verkehr geöffnet. " * 5
    file.write_bytes(text.encode(encoding))
    assert load(file).parts[0].text == text


@pytest.mark.parametrize("encoding", ["iso2022_jp", "euc_jp", "shift_jis", "utf-16-le"])
def test_japanese_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "brief.txt"
    text = "これは日本語の文書です。文字コードを確かめるために書かれました。\n" * 5
    file.write_bytes(text.encode(encoding))
    assert load(file).parts[0].text == text


def make_docx(path: Path, document: str, **members: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", document)
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_entities_in_docx_are_neither_expanded_nor_fetched(tmp_path: Path) -> None:
    secret = tmp_path / "canary.txt"
    secret.write_text("canary words")
    laughs = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 12))
    head = f'<!DOCTYPE d [<!ENTITY file SYSTEM "{secret.as_uri()}"><!ENTITY l0 "ha">{laughs}]>'
    body = f"<w:document {W}><w:p><w:r><w:t>before &file; &l11; after</w:t></w:r></w:p></w:document>"
    try:
        text = "".join(part.text for part in load(make_docx(tmp_path / "x.docx", head + body)).parts)
    except DocumentUnreadable:
        return
    assert "canary" not in text
    assert len(text) < 100


def test_docx_with_repeated_or_endless_members_is_refused(tmp_path: Path) -> None:
    many = tmp_path / "many.docx"
    with zipfile.ZipFile(many, "w") as archive:
        for number in range(10_000):
            archive.writestr(f"word/{number}", "")
        archive.writestr("word/document.xml", "<x/>")
    with pytest.raises(DocumentUnreadable, match="10001 members"):
        load(many)
    broken = tmp_path / "broken.docx"
    whole = make_docx(tmp_path / "whole.docx", f"<w:document {W}><w:p/></w:document>").read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DocumentUnreadable, match="is damaged"):
        load(broken)


def test_a_size_that_lies_does_not_get_through(tmp_path: Path) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b"<a>" + b" " * 90_000_000)
    data = bytearray(made.getvalue())
    at = data.rfind(b"PK\x01\x02")
    data[at + 24 : at + 28] = (1000).to_bytes(4, "little")
    file = tmp_path / "lies.docx"
    file.write_bytes(bytes(data))
    with pytest.raises(DocumentUnreadable):
        load(file)


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(DocumentUnreadable, match="is not there"):
        load(tmp_path / "nothing.txt")
    with pytest.raises(DocumentUnreadable, match=r"not a file|could not be read"):
        load(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.txt")
        with pytest.raises(DocumentUnreadable, match="not a file"):
            load(tmp_path / "pipe.txt")


def test_too_much_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "huge.txt"
    file.write_bytes(b"some words and more\n" * 1_100_000)
    with pytest.raises(DocumentUnreadable, match="too much text"):
        load(file)
