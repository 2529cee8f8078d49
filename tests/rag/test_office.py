"""Workbooks, presentations, OpenDocument, e-books and RTF: their text with sheet, slide and heading."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from vpa_desktop.errors import DocumentUnreadable
from vpa_desktop.rag.loaders import Part, load

OFFICE = "urn:oasis:names:tc:opendocument:xmlns:"
ODF = (
    f'xmlns:office="{OFFICE}office:1.0" xmlns:text="{OFFICE}text:1.0" xmlns:table="{OFFICE}table:1.0" '
    f'xmlns:draw="{OFFICE}drawing:1.0" xmlns:presentation="{OFFICE}presentation:1.0"'
)
PPTX = (
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
)
LINKS = "http://schemas.openxmlformats.org/package/2006/relationships"


def packed(path: Path, **members: str | bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def links(**targets: str) -> str:
    inner = "".join(
        f'<Relationship Id="{key}" Type="x/{target.rpartition("/")[2].rstrip("0123456789.xml")}" Target="{target}"/>'
        for key, target in targets.items()
    )
    return f'<Relationships xmlns="{LINKS}">{inner}</Relationships>'


def sections(path: Path) -> list[tuple[int | None, str, str]]:
    return [(part.page, part.section, part.text) for part in load(path).parts]


def slide(title: str, *lines: str, table: str = "") -> str:
    shapes = f'<p:sp><p:nvPr><p:ph type="title"/></p:nvPr><a:p><a:r><a:t>{title}</a:t></a:r></a:p></p:sp>'
    shapes += '<p:sp><p:nvPr><p:ph type="sldNum"/></p:nvPr><a:p><a:fld><a:t>17</a:t></a:fld></a:p></p:sp>'
    for line in lines:
        shapes += f"<p:sp><a:p><a:r><a:t>{line}</a:t></a:r></a:p></p:sp>"
    return f"<p:sld {PPTX}>{shapes}{table}</p:sld>"


def test_slides_come_in_the_order_of_the_show_with_tables_and_notes(tmp_path: Path) -> None:
    table = "".join(
        f"<a:tr>{''.join(f'<a:tc><a:p><a:r><a:t>{cell}</a:t></a:r></a:p></a:tc>' for cell in row)}</a:tr>"
        for row in (("Fruit", "Price"), ("Banana", "$1"))
    )
    frame = f"<p:graphicFrame><a:tbl>{table}</a:tbl></p:graphicFrame>"
    file = packed(
        tmp_path / "show.pptx",
        **{
            "ppt/presentation.xml": f'<p:presentation {PPTX}><p:sldIdLst><p:sldId id="256" r:id="b"/>'
            '<p:sldId id="257" r:id="a"/></p:sldIdLst></p:presentation>',
            "ppt/_rels/presentation.xml.rels": links(a="slides/slide1.xml", b="slides/slide2.xml"),
            "ppt/slides/slide1.xml": slide("Prices", "Today", table=frame),
            "ppt/slides/slide2.xml": slide("Welcome", "to the fair"),
            "ppt/slides/_rels/slide1.xml.rels": links(n="../notesSlides/notesSlide1.xml"),
            "ppt/notesSlides/notesSlide1.xml": slide("Prices", "Say it twice."),
        },
    )
    assert load(file).pages == 2
    assert sections(file) == [
        (1, "Welcome", "Welcome\nto the fair"),
        (2, "Prices", "Prices\nToday\nFruit | Price\nBanana | $1\nNotes:\nSay it twice."),
    ]


def test_real_presentations(documents: Path) -> None:
    document = load(documents / "markitdow__test.pptx")
    assert document.pages == 6
    assert document.parts[0].section.startswith("AutoGen")
    assert "7 | 8 | 9 | 1b92870d-e3b5-4e65-8153-919f4ff45592 | 11 | 12" in document.parts[2].text
    assert any(
        "Some notes on the second slide" in part.text for part in load_parts(documents, "powerpoint_sample.pptx")
    )


def load_parts(documents: Path, ending: str) -> tuple[Part, ...]:
    return load(next(documents.glob(f"*{ending}"))).parts


def test_sheets_are_sections_and_rows_say_their_columns(documents: Path) -> None:
    for name in ("markitdow__test.xlsx", "markitdow__test.xls"):
        parts = load(documents / name).parts
        assert [part.section for part in parts] == ["Sheet1", "09060124-b5e7-4717-9d07-3c046eb"]
        assert parts[0].text.splitlines()[:2] == [
            "Alpha | Beta | Gamma | Delta",
            "Alpha: 89; Beta: 82; Gamma: 100; Delta: 12",
        ]
        assert parts[0].numbers[:2].tolist() == [1, 2]  # type: ignore[attr-defined]
    inflated = load_parts(documents, "xlsx_04_inflated.xlsx")
    assert [part.text for part in inflated] == [part.text for part in load_parts(documents, "xlsx_01.xlsx")]


MANIFEST = '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'


def ods(rows: str) -> str:
    sheet = f'<table:table table:name="Costs">{rows}</table:table>'
    return (
        f"<office:document-content {ODF}><office:body><office:spreadsheet>{sheet}"
        "</office:spreadsheet></office:body></office:document-content>"
    )


def test_an_opendocument_sheet(tmp_path: Path) -> None:
    def cell(text: str) -> str:
        return f'<table:table-cell office:value-type="string"><text:p>{text}</text:p></table:table-cell>'

    rows = "".join(
        f"<table:table-row>{cell(a)}{cell(b)}</table:table-row>" for a, b in (("Item", "Cost"), ("Desk", "90"))
    )
    mimetype = "application/vnd.oasis.opendocument.spreadsheet"
    file = packed(
        tmp_path / "costs.ods", mimetype=mimetype, **{"content.xml": ods(rows), "META-INF/manifest.xml": MANIFEST}
    )
    assert sections(file) == [(None, "Costs", "Item | Cost\nItem: Desk; Cost: 90")]


def odt(body: str, *, flat: bool = False) -> str:
    kind = "document" if flat else "document-content"
    inner = f"<office:body><office:text>{body}</office:text></office:body>"
    return f'<?xml version="1.0" encoding="UTF-8"?><office:{kind} {ODF}>{inner}</office:{kind}>'


BODY = (
    "<text:tracked-changes><text:p>deleted words</text:p></text:tracked-changes>"
    '<text:h text:outline-level="1">Plan</text:h><text:p>First<text:s text:c="2"/>words<text:line-break/>next.</text:p>'
    '<text:h text:outline-level="2">Costs</text:h><text:list>'
    "<text:list-item><text:p>one</text:p></text:list-item></text:list>"
    "<table:table><table:table-row><table:table-cell><text:p>a</text:p></table:table-cell>"
    '<table:table-cell table:number-columns-repeated="2"><text:p>b</text:p></table:table-cell>'
    "</table:table-row></table:table>"
)
READ = [(None, "Plan", "Plan\nFirst  words\nnext."), (None, "Plan > Costs", "Costs\none\na | b | b")]


def test_an_opendocument_text_packed_and_flat(tmp_path: Path) -> None:
    mimetype = "application/vnd.oasis.opendocument.text"
    assert sections(packed(tmp_path / "plan.odt", mimetype=mimetype, **{"content.xml": odt(BODY)})) == READ
    flat = tmp_path / "plan.fodt"
    flat.write_text(odt(BODY, flat=True), "utf-8")
    assert sections(flat) == READ


def test_opendocument_slides_and_a_locked_file(tmp_path: Path) -> None:
    pages = (
        '<draw:page><draw:frame presentation:class="title"><draw:text-box><text:p>Welcome</text:p></draw:text-box>'
        "</draw:frame><draw:frame><draw:text-box><text:p>to the fair</text:p></draw:text-box></draw:frame>"
        "<presentation:notes><draw:frame><draw:text-box><text:p>smile</text:p></draw:text-box></draw:frame>"
        "</presentation:notes></draw:page><draw:page/>"
    )
    content = f"<office:document-content {ODF}><office:body>{pages}</office:body></office:document-content>"
    members = {"mimetype": "application/vnd.oasis.opendocument.presentation", "content.xml": content}
    file = packed(tmp_path / "show.odp", **members)
    assert load(file).pages == 2
    assert sections(file) == [(1, "Welcome", "Welcome\nto the fair\nNotes:\nsmile")]
    locked = packed(tmp_path / "locked.odp", **members, **{"META-INF/manifest.xml": "<m><encryption-data/></m>"})
    with pytest.raises(DocumentUnreadable, match="protected with a password"):
        load(locked)


CONTAINER = '<container><rootfiles><rootfile full-path="O/book.opf"/></rootfiles></container>'
BOOK = (
    '<package xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata><dc:title>The Sea</dc:title></metadata><manifest>'
    '<item id="one" href="ch%201.xhtml"/><item id="two" href="two.xhtml"/>'
    '<item id="toc" href="toc.xhtml" properties="nav"/></manifest>'
    '<spine><itemref idref="two"/><itemref idref="one"/><itemref idref="missing"/></spine></package>'
)


def book(path: Path, **more: str) -> Path:
    members = {
        "META-INF/container.xml": CONTAINER,
        "O/book.opf": BOOK,
        "O/ch 1.xhtml": "<html><body><h1>Waves</h1><p>They roll. Größe.</p></body></html>",
        "O/two.xhtml": "<html><body><p>No heading here.</p></body></html>",
        "O/toc.xhtml": '<html><body><nav><a href="two.xhtml#x">The beginning</a></nav></body></html>',
    }
    return packed(path, **members, **more)


def test_a_book_is_read_in_the_order_of_its_pages(tmp_path: Path) -> None:
    file = book(tmp_path / "sea.epub")
    assert load(file).title == "The Sea"
    assert sections(file) == [
        (None, "The beginning", "No heading here."),
        (None, "Waves", "Waves\nThey roll. Größe."),
    ]


def test_a_locked_book_is_a_sentence_and_locked_fonts_are_not(tmp_path: Path) -> None:
    lock = '<encryption><EncryptionMethod Algorithm="{}"/></encryption>'
    fonts = book(
        tmp_path / "fonts.epub", **{"META-INF/encryption.xml": lock.format("http://www.idpf.org/2008/embedding")}
    )
    assert len(load(fonts).parts) == 2
    shop = book(tmp_path / "shop.epub", **{"META-INF/encryption.xml": lock.format("http://www.w3.org/aes128-cbc")})
    with pytest.raises(DocumentUnreadable, match="copy-protected"):
        load(shop)


def rich(tmp_path: Path, body: str) -> list[tuple[int | None, str, str]]:
    file = tmp_path / "letter.rtf"
    fonts = r"{\fonttbl{\f0\fcharset0 Times;}{\f1\fcharset204 Arial Cyr;}{\f2\fcharset128 Mincho;}}"
    styles = r"{\stylesheet{\s0 Normal;}{\s1\f1\outlinelevel0 Kop;}{\s2\f1 heading 2;}}"
    file.write_bytes(
        (r"{\rtf1\ansi\ansicpg1252" + fonts + styles + r"{\info{\title Der Brief}}" + body + "}").encode("latin-1")
    )
    assert load(file).title == "Der Brief"
    return sections(file)


def test_rich_text_has_headings_tables_and_every_alphabet(tmp_path: Path) -> None:
    body = (
        r"{\header page head}\pard\s1 One\par\pard Gr\'fc\'dfe, \f1\'cc\'ee\'f1\'ea\'e2\'e0 \f2\'93\'fa\'96\'7b\f0  "
        r"\u8364?5 \u-10179?\u-8704?\par\pard\s2 Two\par\pard{\*\unknown left out}"
        r"{\field{\*\fldinst HYPERLINK x}{\fldrslt shown}}"
        r"\par\trowd\intbl a\cell b\par c\cell\row\trowd\intbl d\cell e\cell\row\pard end{\pict\bin4 }}}}}\par"
    )
    assert rich(tmp_path, body) == [
        (None, "One", "One\nGrüße, Москва 日本 €5 😀"),
        (None, "One > Two", "Two\nshown\na | b c\nd | e\nend"),
    ]


def test_rich_text_that_never_ends_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DocumentUnreadable, match="nested too deeply"):
        rich(tmp_path, "{" * 100_000)


def test_the_real_rich_text(documents: Path) -> None:
    parts = load(documents / "kreuzberg__word_sample.rtf").parts
    assert parts[1].section == "Let’s swim!"
    assert "Berries | Blueberry, Strawberry, Cranberry | 150" in parts[2].text


def test_a_name_says_nothing_where_the_bytes_do(tmp_path: Path, documents: Path) -> None:
    workbook = tmp_path / "really.docx"
    workbook.write_bytes((documents / "markitdow__test.xlsx").read_bytes())
    assert load(workbook).parts[0].section == "Sheet1"
    export = tmp_path / "export.xls"
    export.write_text("<html><body><table><tr><td>Only a page</td></tr></table></body></html>")
    assert load(export).parts[0].text == "Only a page"
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("a.txt", "plain")
    export.write_bytes(made.getvalue())
    assert load(export).parts[0].section == "a.txt"
