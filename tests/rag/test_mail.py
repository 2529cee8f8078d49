"""Messages and archives: their own text, and the files in them read by their own kinds."""

from __future__ import annotations

import io
import struct
import zipfile
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.rag.compound import Storage, compound_file
from vpa_desktop.errors import DocumentUnreadable
from vpa_desktop.rag.compressed_rtf import decompressed
from vpa_desktop.rag.loaders import LoadedDocument, Reading, load, load_bytes

# The second example of the specification of compressed RTF: "WXYZ" repeated by references that overlap.
COMPRESSED = bytes.fromhex("1a 00 00 00 1c 00 00 00 4c 5a 46 75 e2 d4 4b 51 41 00 04 20 57 58 59 5a 0d 6e 7d 01 0e b0")


def message(body: str, html: str = "") -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"] = "Ada Löwe <ada@example.org>", "Bob <bob@example.org>"
    made["Subject"], made["Date"] = "Über die Reise", "Mon, 30 Nov 2026 09:00:00 +0000"
    made.set_content(body)
    if html:
        made.add_alternative(html, subtype="html")
    return made


def found(document: LoadedDocument) -> list[tuple[str, str]]:
    return [(part.section, part.text) for part in document.parts]


def zipped(**members: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return made.getvalue()


def test_a_message_has_its_head_its_body_and_its_attachments(tmp_path: Path) -> None:
    made = message("The train leaves at nine.", "<p>The train leaves at nine.</p>")
    made.add_attachment(b"# Plan\n\nPack the bags.\n", maintype="text", subtype="markdown", filename="plan.md")
    made.add_attachment(b"\x00\x01\x02" * 99, maintype="application", subtype="octet-stream", filename="odd.dat")
    file = tmp_path / "trip.eml"
    file.write_bytes(made.as_bytes())
    document = load(file)
    (section, text), (attached, plan) = found(document)
    assert document.title == "Über die Reise"
    assert section == ""
    assert text.startswith("From: Ada Löwe <ada@example.org>\nTo: Bob <bob@example.org>\nDate: ")
    assert text.endswith("The train leaves at nine.")
    assert attached == "plan.md > Plan"
    assert "Pack the bags." in plan
    assert document.remarks == ("odd.dat is not a text: What is in it is binary data",)


def test_a_message_is_known_without_its_name_and_a_saved_page_is_one(tmp_path: Path) -> None:
    made = EmailMessage()
    made["From"], made["MIME-Version"], made["Subject"] = "<Saved by a browser>", "1.0", "Page"
    made.set_content("<h1>Top</h1><p>Saved words.</p>", subtype="html")
    file = tmp_path / "page.mht"
    file.write_bytes(made.as_bytes())
    assert ("Top", "Top\nSaved words.") in found(load(file))
    text = tmp_path / "notes.txt"
    text.write_text("From: the desk\nabout the trip\n")
    assert found(load(text)) == [("", "From: the desk\nabout the trip\n")]


def test_a_forwarded_message_is_read_to_its_end(tmp_path: Path) -> None:
    inner, outer = message("Inner words."), message("See below.")
    inner.add_attachment(b"a,b\n1,2\n", maintype="text", subtype="csv", filename="t.csv")
    outer.add_attachment(inner, filename="old.eml")
    file = tmp_path / "fwd.eml"
    file.write_bytes(outer.as_bytes())
    texts = "\n".join(text for _, text in found(load(file)))
    assert "See below." in texts
    assert "Inner words." in texts
    assert "a: 1; b: 2" in texts


def outlook(properties: dict[int, object], attachments: dict[str, Storage] | None = None) -> Storage:
    """The streams of an Outlook message."""
    made: dict[str, bytes | Storage] = {"__properties_version1.0": bytes(32)}
    for number, value in properties.items():
        if isinstance(value, str):
            made[f"__substg1.0_{number:04X}001F"] = value.encode("utf-16-le")
        elif isinstance(value, bytes):
            made[f"__substg1.0_{number:04X}0102"] = value
    for position, attachment in enumerate((attachments or {}).items()):
        made[f"__attach_version1.0_#{position:08X}"] = attachment[1]
    return made


def test_an_outlook_message_and_what_is_attached(tmp_path: Path) -> None:
    plan: Storage = {
        "__properties_version1.0": bytes(8),
        "__substg1.0_3707001F": "plan.md".encode("utf-16-le"),
        "__substg1.0_37010102": b"# Plan\n\nPack the bags.\n",
    }
    inner: Storage = {
        "__properties_version1.0": bytes(8),
        "__substg1.0_3001001F": "Old news".encode("utf-16-le"),
        "__substg1.0_3701000D": outlook({0x0037: "Inner", 0x1000: "Inner words."}),
    }
    head: dict[int, object] = {
        0x0037: "Reise",
        0x0C1A: "Ada",
        0x5D01: "ada@example.org",
        0x0E04: "Bob",
        0x1000: "Hello.",
    }
    file = tmp_path / "trip.msg"
    file.write_bytes(compound_file(outlook(head, {"plan": plan, "inner": inner})))
    document = load(file)
    assert document.title == "Reise"
    assert found(document) == [
        ("", "From: Ada <ada@example.org>\nTo: Bob\nSubject: Reise\n\nHello."),
        ("plan.md > Plan", "# Plan\n\nPack the bags.\n"),
        ("Old news", "Subject: Inner\n\nInner words."),
    ]


def test_an_outlook_message_whose_body_is_html_or_rtf(tmp_path: Path) -> None:
    file = tmp_path / "page.msg"
    file.write_bytes(compound_file(outlook({0x0037: "P", 0x1013: b"<p>Only a page.</p>"})))
    assert "Only a page." in found(load(file))[0][1]
    rtf = b"{\\rtf1 Only rich text.}"
    raw = struct.pack("<II4sI", len(rtf) + 12, len(rtf), b"MELA", 0) + rtf
    file.write_bytes(compound_file(outlook({0x0037: "P", 0x1009: raw})))
    assert "Only rich text." in found(load(file))[0][1]


def test_compressed_rtf_as_its_specification_shows_it() -> None:
    assert decompressed(COMPRESSED) == b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}"
    assert decompressed(COMPRESSED[:20]) == b"{\\rtf1 "
    assert decompressed(b"") == b""


def test_real_outlook_messages(documents: Path) -> None:
    text = load(documents / "kreuzberg__fake_email.msg").parts[0].text
    assert text.startswith("From: Matthew Robinson <mrobinson@unstructured.io>")
    assert "Roses are red" in text


def test_an_archive_gives_its_members_under_their_names(tmp_path: Path) -> None:
    inner = zipped(**{"deep.txt": b"Deep words."})
    file = tmp_path / "all.zip"
    members = {"docs/a.md": b"# A\n\nFirst.\n", "b.csv": b"x,y\n1,2\n", "in.zip": inner, "run.exe": b"MZ", ".x": b"no"}
    file.write_bytes(zipped(**members, **{"__MACOSX/a.md": b"no", "bad.pdf": b"no pdf"}))
    document = load(file)
    assert found(document) == [
        ("docs/a.md > A", "# A\n\nFirst.\n"),
        ("b.csv", "x | y\nx: 1; y: 2"),
        ("in.zip > deep.txt", "Deep words."),
    ]
    assert len(document.remarks) == 1
    assert "bad.pdf is not a PDF" in document.remarks[0]


def test_archives_in_archives_end_somewhere(tmp_path: Path) -> None:
    data = b"At the bottom."
    for number in range(9):
        data = zipped(**{f"{number}.zip" if number else "end.txt": data})
    file = tmp_path / "all.zip"
    file.write_bytes(data)
    with pytest.raises(DocumentUnreadable, match=r"has no text.*in a file in a file"):
        load(file)


def test_what_comes_out_of_an_archive_is_counted_altogether() -> None:
    data = zipped(**{f"{number}.txt": b"some words " * 1000 for number in range(9)})
    document = load_bytes(data, Path("all.zip"), Reading(bytes_left=30_000))
    assert len(document.parts) == 2
    assert len(document.remarks) == 7
