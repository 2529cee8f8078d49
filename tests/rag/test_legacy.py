"""Word and PowerPoint files of 97 to 2003, and the container they share with Outlook."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tests.rag.compound import compound_file
from vpa_desktop.errors import DocumentUnreadable
from vpa_desktop.rag.loaders import load

FIELD = 'See \x13 HYPERLINK "http://x" \x14the page\x15 today.'


def word(pieces: list[tuple[str, bool]], *, flags: int = 0x0200, styles: tuple[tuple[int, int], ...] = ()) -> bytes:
    """A Word file whose text lies in pieces, each in one or in two bytes a character.

    ``styles`` are where paragraphs begin in the text's bytes, and the numbers of their styles.
    """
    text, descriptors, ends = bytearray(), b"", [0]
    begin = 0x0400
    for piece, is_narrow in pieces:
        at = begin + len(text)
        text += piece.encode("cp1252" if is_narrow else "utf-16-le")
        descriptors += struct.pack("<HIH", 0, at * 2 | 0x40000000 if is_narrow else at, 0)
        ends.append(ends[-1] + len(piece))
    table = struct.pack(f"<{len(ends)}I", *ends) + descriptors
    clx = b"\x01" + struct.pack("<H", 3) + b"abc" + b"\x02" + struct.pack("<I", len(table)) + table
    page = bytearray(512)
    page[511] = len(styles)
    struct.pack_into(f"<{len(styles) + 1}I", page, 0, *(begin + at for at, _ in styles), begin + len(text))
    for run, (_, style) in enumerate(styles):
        page[4 * (len(styles) + 1) + 13 * run] = 200 + 4 * run
        struct.pack_into("<BH", page, 400 + 8 * run, 2, style)
    text += bytes(-len(text) % 512)
    runs = struct.pack("<3I", begin, begin + len(text), (begin + len(text)) // 512)
    head = bytearray(begin)
    struct.pack_into("<II", head, 0x0102, 16 + len(clx), len(runs))
    struct.pack_into("<HH", head, 0, 0xA5EC, 193)
    struct.pack_into("<H", head, 0x0A, flags)
    struct.pack_into("<ii", head, 0x4C, ends[-1], 0)
    struct.pack_into("<II", head, 0x01A2, 16, len(clx))
    return compound_file({"WordDocument": bytes(head + text + page), "1Table": bytes(16) + clx + runs})


def record(kind: int, content: bytes, *, instance: int = 0, is_container: bool = False) -> bytes:
    return struct.pack("<HHI", instance << 4 | (0xF if is_container else 0), kind, len(content)) + content


def powerpoint(*slides: tuple[str, str, str]) -> bytes:
    """A presentation of slides with a title, a text drawn on them, and notes."""

    def texts(kind: int, text: str) -> bytes:
        return record(0x0F9F, struct.pack("<I", kind)) + record(0x0FA0, text.encode("utf-16-le"))

    objects: list[bytes] = []
    outline, notes = b"", b""
    for number, (title, drawn, note) in enumerate(slides):
        reference = 2 + 2 * number
        box = record(0x040C, record(0xF00D, texts(4, drawn), is_container=True), is_container=True)
        objects.append(record(0x03EE, box, is_container=True))
        atom = record(0x03F1, struct.pack("<II", 256 + number, 0))
        objects.append(record(0x03F0, atom + texts(2, note), is_container=True))
        outline += record(0x03F3, struct.pack("<5I", reference, 0, 0, 256 + number, 0)) + texts(0, title)
        notes += record(0x03F3, struct.pack("<5I", reference + 1, 0, 0, 0, 0))
    lists = record(0x0FF0, outline, is_container=True) + record(0x0FF0, notes, instance=2, is_container=True)
    stream, places = b"", []
    for content in (record(0x03E8, lists, is_container=True), *objects):
        places.append(len(stream))
        stream += content
    directory = len(stream)
    stream += record(0x1772, struct.pack(f"<{len(places) + 1}I", 1 | len(places) << 20, *places))
    edit = len(stream)
    stream += record(0x0FF5, struct.pack("<7I", 0, 0, 0, directory, 1, 0, 0))
    return compound_file({"PowerPoint Document": stream, "Current User": bytes(16) + struct.pack("<I", edit)})


def text_of(path: Path) -> str:
    return "\n".join(part.text for part in load(path).parts)


def test_a_word_text_in_pieces_of_both_widths(tmp_path: Path) -> None:
    file = tmp_path / "old.doc"
    file.write_bytes(word([("Grüße aus ", True), ("Москва.\r", False), (FIELD + "\r", True), ("a\x07b\x07\x07", True)]))
    assert text_of(file).splitlines() == ["Grüße aus Москва.", "See the page today.", "a | b"]


def test_headings_of_a_word_file_are_known_by_the_number_of_their_style(tmp_path: Path) -> None:
    pieces = [("Plan\rFirst.\ra\x07b\x07\x07Kosten\r", True), ("Zweite…\r", False)]
    styles = ((0, 1), (5, 0), (17, 2), (24, 0))
    file = tmp_path / "old.doc"
    file.write_bytes(word(pieces, styles=styles))
    assert [(part.section, part.text) for part in load(file).parts] == [
        ("Plan", "Plan\nFirst.\na | b"),
        ("Plan > Kosten", "Kosten\nZweite…"),
    ]


def test_a_word_file_with_a_password_or_a_broken_table_is_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "old.doc"
    file.write_bytes(word([("secret", True)], flags=0x0300))
    with pytest.raises(DocumentUnreadable, match="protected with a password"):
        load(file)
    file.write_bytes(compound_file({"WordDocument": bytes(100), "0Table": b""}))
    with pytest.raises(DocumentUnreadable, match="is damaged"):
        load(file)


def test_slides_have_their_title_their_number_and_their_notes(tmp_path: Path) -> None:
    file = tmp_path / "old.ppt"
    file.write_bytes(powerpoint(("First", "drawn one", "say hello"), ("Zweite", "gezeichnet", "grüßen")))
    document = load(file)
    assert document.pages == 2
    assert [(part.page, part.section) for part in document.parts] == [(1, "First"), (2, "Zweite")]
    assert document.parts[1].text.splitlines() == ["Zweite", "gezeichnet", "Notes:", "grüßen"]


def test_a_presentation_without_its_directory_still_gives_its_text(tmp_path: Path) -> None:
    file = tmp_path / "old.ppt"
    texts = record(0x0FA8, b"still here")
    file.write_bytes(compound_file({"PowerPoint Document": texts, "Current User": b""}))
    assert text_of(file) == "still here"


def test_the_real_presentation_and_the_real_password(documents: Path) -> None:
    assert "quick brown fox" in text_of(documents / "tika__testPPT_embeded.ppt")
    with pytest.raises(DocumentUnreadable, match="protected with a password"):
        load(documents / "tika__testWORD_protected_passtika.doc")


def test_encrypted_office_files_and_unknown_ones_are_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "locked.docx"
    file.write_bytes(compound_file({"EncryptedPackage": bytes(5000), "EncryptionInfo": b"x"}))
    with pytest.raises(DocumentUnreadable, match="protected with a password"):
        load(file)
    file.write_bytes(compound_file({"Contents": b"x"}))
    with pytest.raises(DocumentUnreadable, match="rare Office program"):
        load(file)
    file.write_bytes(compound_file({"WordDocument": bytes(9000)})[:600])
    with pytest.raises(DocumentUnreadable, match="is damaged"):
        load(file)
