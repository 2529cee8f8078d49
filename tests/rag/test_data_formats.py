"""Tables, data, code and notebooks keep their structure, and say from which line or row a passage is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpa_desktop.config import resource_path
from vpa_desktop.rag.chunks import chunk_parts, tokenizer_from
from vpa_desktop.rag.file_reading import heading_of
from vpa_desktop.rag.loaders import LoadedDocument, Part, load
from vpa_desktop.rag.positions import with_position, without_position
from vpa_desktop.rag.row_lines import RowLines
from vpa_desktop.rag.tables import table_lines

TOKENIZER = tokenizer_from(resource_path("models", "tokenizer.json"))


def written(tmp_path: Path, name: str, text: str) -> LoadedDocument:
    file = tmp_path / name
    file.write_text(text, "utf-8")
    return load(file)


def cut(document: LoadedDocument) -> list[tuple[str, str]]:
    chunks = chunk_parts(document.parts, TOKENIZER, max_tokens=60, overlap_tokens=0)
    return [(chunk.section, chunk.text) for chunk in chunks]


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_every_row_of_a_csv_says_its_columns(tmp_path: Path, mark: str) -> None:
    rows = [["Region", "Year", "Sales"], ["North", "2024", "1,5"], ["South, far", "2025", "2"]]
    text = "\n".join(mark.join(f'"{cell}"' for cell in row) for row in rows)
    part = written(tmp_path, "sales.csv", text + "\n").parts[0]
    assert part.text.splitlines() == [
        "Region | Year | Sales",
        "Region: North; Year: 2024; Sales: 1,5",
        "Region: South, far; Year: 2025; Sales: 2",
    ]
    assert list(part.numbers) == [1, 2, 3]


def test_a_long_table_is_cut_between_rows_that_all_name_their_columns(tmp_path: Path) -> None:
    text = "City,People\n" + "".join(f"Town {number},{number * 37}\n" for number in range(200))
    passages = cut(written(tmp_path, "towns.csv", text))
    assert len(passages) > 10
    assert passages[0][0].startswith("lines 1-")
    for _, passage in passages[1:]:
        assert all(line.startswith("City: Town ") and "; People: " in line for line in passage.splitlines())


def test_a_quote_nobody_closed_is_read_as_lines(tmp_path: Path) -> None:
    text = 'a,b\n"never closed,' + "word, " * 40_000
    assert "never closed" in written(tmp_path, "odd.csv", text).parts[0].text


def test_a_later_header_counts_where_values_follow() -> None:
    lines = RowLines()
    rows: tuple[list[str], ...] = (
        ["Report"],
        [],
        ["Name", "Age"],
        ["Ada", "36"],
        [],
        ["City", "People"],
        ["Rome", "3"],
        [],
        ["end", "of it"],
    )
    for number, row in enumerate(rows, 1):
        lines.add(number, row)
    assert lines.text.splitlines() == [
        "Report",
        "Name | Age",
        "Name: Ada; Age: 36",
        "City | People",
        "City: Rome; People: 3",
        "City: end; People: of it",
    ]
    assert list(lines.numbers) == [1, 3, 4, 6, 7, 9]


def test_a_row_of_many_columns_begins_each_line_with_its_key() -> None:
    lines = RowLines()
    lines.add(1, ["Id", *(f"Column {number}" for number in range(60))])
    lines.add(2, ["K-7", *(f"value {number}" for number in range(60))])
    rows = lines.text.splitlines()[1:]
    assert len(rows) > 2
    assert all(row.startswith("Id: K-7; Column ") for row in rows)
    assert list(lines.numbers[1:]) == [2] * len(rows)


def test_a_small_table_stays_and_a_large_one_names_its_columns() -> None:
    small = [["Fruit", "Price"], ["Banana", "$0.50"]]
    assert table_lines(small) == ["Fruit | Price", "Banana | $0.50"]
    large = table_lines([["Fruit", "Price"], *([f"Fruit number {n}", f"${n}.50"] for n in range(40))])
    assert large[1] == "- Fruit: Fruit number 0; Price: $0.50"
    passages = cut(LoadedDocument("t", (Part("Before.\n" + "\n".join(large) + "\nAfter."),)))
    assert all("Fruit: Fruit number" in text for _, text in passages)


def test_a_small_table_is_not_cut(tmp_path: Path) -> None:
    table = "\n".join(f"row {n} | is here | and there" for n in range(6))
    text = "A sentence of some length stands before it all. " * 4 + "\n" + table + "\nAnd one after it."
    holders = [text for _, text in cut(LoadedDocument("t", (Part(text),))) if "row 0" in text]
    assert table in holders[0]


@given(st.lists(st.lists(st.text(max_size=20), max_size=5), max_size=12))
def test_no_cell_of_any_table_is_lost(rows: list[list[str]]) -> None:
    lines = RowLines()
    for number, row in enumerate(rows, 1):
        lines.add(number, [" ".join(cell.split()) for cell in row])
    text = lines.text
    assert len(lines.numbers) == (text.count("\n") + 1 if lines.numbers else 0)
    assert all(" ".join(cell.split()) in text for row in rows for cell in row)


def test_code_says_its_lines_and_its_heading_does_not(tmp_path: Path) -> None:
    code = "".join(f"def function_{number}():\n    return {number}\n\n" for number in range(60))
    passages = cut(written(tmp_path, "code.py", code))
    first, second = passages[0][0], passages[1][0]
    assert first.startswith("lines 1-")
    begin, _, _ = second.removeprefix("lines ").partition("-")
    assert passages[1][1].splitlines()[0].strip() == code.splitlines()[int(begin) - 1].strip()
    assert heading_of("code.py", second) == "code.py"


def test_positions_come_off_again() -> None:
    for section in ("", "Chapter", "Chapter > rows of 1900-2000"):
        assert without_position(with_position(section, "row", 3, 9)) == section
        assert without_position(with_position(section, "line", 3, 3)) == section
    assert without_position("The lines 3-4") == "The lines 3-4"


def test_json_has_a_section_for_each_key_and_a_line_for_each_record(tmp_path: Path) -> None:
    data = {"name": "Ada", "born": 1815, "works": [{"title": "Notes", "year": 1843, "tags": ["a", "b"]}], "no": None}
    document = written(tmp_path, "ada.json", json.dumps(data))
    assert [(part.section, part.text) for part in document.parts] == [
        ("", "name: Ada\nborn: 1815\nno: "),
        ("works", "title: Notes; year: 1843; tags: a, b"),
    ]


@pytest.mark.parametrize("text", ['{"a": ', "[" * 100_000, '{"n": ' + "9" * 5000 + "}", "[" * 200 + "1" + "]" * 200])
def test_json_that_cannot_be_had_is_read_as_it_is(tmp_path: Path, text: str) -> None:
    assert written(tmp_path, "odd.json", text).parts[0].text.strip()


def test_json_lines_have_their_numbers(tmp_path: Path) -> None:
    part = written(tmp_path, "log.jsonl", '{"who": "Ada", "at": 9}\n\nnot json\n{"who": "\\ud800"}\n').parts[0]
    assert part.text.splitlines() == ["who: Ada; at: 9", "not json", "who: ?"]
    assert list(part.numbers) == [1, 3, 4]


def test_a_feed_has_its_items_as_sections(documents: Path, tmp_path: Path) -> None:
    document = load(documents / "markitdow__test_rss.xml")
    assert document.title == "The Official Microsoft Blog"
    assert any(part.section.startswith("Ignite 2024") for part in document.parts)
    assert not any("<p>" in part.text for part in document.parts)
    atom = '<feed xmlns="http://www.w3.org/2005/Atom"><title>News</title><entry><title>One</title>'
    atom += "<updated>2026-01-02</updated><content>First words.</content></entry></feed>"
    part = written(tmp_path, "news.atom", atom).parts[0]
    assert (part.section, part.text) == ("One", "One\nupdated: 2026-01-02\nFirst words.")


def test_xml_has_a_line_for_each_element_and_keeps_running_text(tmp_path: Path) -> None:
    text = (
        "<?xml version='1.0'?><order><id>7</id><note>Send <b>soon</b>, please.</note><item sku='A1' count='2'/></order>"
    )
    assert written(tmp_path, "order.xml", text).parts[0].text == "id: 7\nSend soon, please.\nitem: sku: A1; count: 2"
    assert "half" in written(tmp_path, "broken.xml", "<a><b>half").parts[0].text


def test_a_notebook_has_cells_under_headings(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Study\n", "\n", "Why.\n"]},
        {"cell_type": "code", "source": "print(6 * 7)", "outputs": [{"output_type": "stream", "text": ["42\n"]}]},
        {"cell_type": "code", "source": "1/0", "outputs": [{"ename": "ZeroDivisionError", "evalue": "division"}]},
    ]
    document = written(tmp_path, "study.ipynb", json.dumps({"cells": cells}))
    assert document.title == "Study"
    assert [(part.section, part.text) for part in document.parts] == [
        ("Study > cell 1", "# Study\n\nWhy.\n"),
        ("Study > cell 2", "print(6 * 7)\n\n42"),
        ("Study > cell 3", "1/0\n\nZeroDivisionError: division"),
    ]
    assert written(tmp_path, "odd.ipynb", "{not a notebook").parts[0].text == "{not a notebook"


def test_a_long_table_in_markdown_and_in_a_page_names_its_columns(tmp_path: Path) -> None:
    rows = [(f"Town {number}", str(number * 37)) for number in range(40)]
    markdown = "# Towns\n\n| City | People |\n|---|---:|\n" + "".join(f"| {a} | {b} |\n" for a, b in rows) + "\nEnd.\n"
    body = "".join(f"<tr><td rowspan=1>{a}<td>{b}" for a, b in rows)
    page = f"<h1>Towns</h1><table><tr><th>City<th>People{body}</table><p>End.</p>"
    for name, text in (("towns.md", markdown), ("towns.html", page)):
        part = written(tmp_path, name, text).parts[0]
        assert part.section == "Towns"
        assert "- City: Town 7; People: 259" in part.text.splitlines()
        assert part.text.rstrip().endswith("End.")


def test_a_cell_that_reaches_over_rows_and_columns_is_written_out(tmp_path: Path) -> None:
    rows = "".join(f"<tr><td>{number}<td>word " + "x" * 20 for number in range(20))
    page = f"<table><tr><th>Year<th>First<th>Second<tr><td rowspan=2>2024<td colspan=2>both<tr><td>a<td>b{rows}</table>"
    text = written(tmp_path, "t.html", page).parts[0].text
    assert "- Year: 2024; First: both; Second: both" in text
    assert "- Year: 2024; First: a; Second: b" in text
