"""Markdown to blocks and markup: safe, bounded, and the same however it is cut."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ui.chat.sample import DATES, LONG, PENALTY
from vpa_desktop.ui.chat.markdown import MAX_BLOCK, Block, StreamReader, is_safe_link, parse, visible
from vpa_desktop.ui.chat.markup import MarkupWriter
from vpa_desktop.ui.theme import LIGHT

HOSTILE = [
    "<img src=http://127.0.0.1:1/x.png><script>alert(1)</script>",
    "![x](file:///etc/passwd) ![y](http://127.0.0.1:1/y.png) ![z](//evil/share.png)",
    "[a](javascript:alert(1)) [b](file:///etc/passwd) [c](data:text/html,x) [d](vpa:cite/1) [e](//evil/x)",
    '<table background="http://127.0.0.1:1/b.png"><tr><td>x</td></tr></table>',
    "</td></tr></table><style>p{color:red}</style>",
    '`<img src="x">` **<b>** [x](https://e.org/"><img/src=y>)',
    "&lt;img src=x&gt; &#x202e;abc",
    "| <img src=x> |\n|--|\n| ![i](x.png) |",
    "```<img src=x>\n<img src=y>\n```",
]
TEXTS = [
    DATES,
    PENALTY,
    LONG,
    *HOSTILE,
    "a\r\nb\r\n\r\n- x\r\n  y\r\n",
]


def markup(text: str, citations: frozenset[int] = frozenset()) -> str:
    return "\n".join(MarkupWriter(LIGHT, citations=citations).write(block) for block in parse(text))


def read(pieces: list[str]) -> list[Block]:
    reader = StreamReader()
    for piece in pieces:
        reader.feed(piece)
        reader.advance()
    reader.close()
    return reader.stable


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("size", [1, 7, 64])
def test_stream_equals_whole(text: str, size: int) -> None:
    streamed = read([text[at : at + size] for at in range(0, len(text), size)])
    again = StreamReader()
    again.feed(text)
    again.close()
    writer, other = MarkupWriter(LIGHT), MarkupWriter(LIGHT)
    assert [writer.write(block) for block in streamed] == [other.write(block) for block in again.stable]
    assert [block.code for block in streamed] == [block.code for block in again.stable]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["- a", "1. b", "> q", "```", "    code", "para", "| a | b |", "|--|--|", "***", "===", "", "\t* x"]
        )
    ),
    st.integers(1, 9),
)
def test_any_cut_reads_the_same(lines: list[str], size: int) -> None:
    text = "\n".join(lines)
    streamed = read([text[at : at + size] for at in range(0, len(text), size)])
    assert [(block.kind, block.code) for block in streamed] == [(block.kind, block.code) for block in parse(text)]
    writer = MarkupWriter(LIGHT)
    assert [writer.write(block) for block in streamed] == [writer.write(block) for block in parse(text)]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_of_the_text_becomes_markup(text: str) -> None:
    html = markup(text)
    assert "<img" not in html
    assert "<script" not in html
    assert "<style" not in html
    assert "<table background" not in html
    for href in html.split('href="')[1:]:
        assert href.startswith(("https://", "http://", "mailto:"))


def test_raw_html_is_shown_as_text() -> None:
    assert "&lt;b&gt;bold&lt;/b&gt;" in markup("<b>bold</b>")
    assert "[image: a chart]" in markup("![a chart](http://127.0.0.1:1/x.png)")


def test_safe_links() -> None:
    assert is_safe_link("https://example.org")
    assert is_safe_link("MAILTO:a@example.org")
    for url in ("javascript:x", "file:///x", "//host/x", "x.html", "data:x", "vpa:cite/1", "smb://x"):
        assert not is_safe_link(url)


def test_late_link_definitions_count_for_the_whole_text() -> None:
    assert 'href="https://example.org"' in markup("[late][1]\n\ntext\n\n[1]: https://example.org\n")


def test_marks_become_links_only_for_citations_that_exist() -> None:
    html = markup("As said [1], [3] and [1, 2].\n\n`[1]` [x [2]](https://e.org)", frozenset({1, 2}))
    assert html.count('href="vpa:cite/1"') == 2
    assert html.count('href="vpa:cite/2"') == 1
    assert "[3]" in html
    assert "vpa:cite" not in markup("As said [1].")


def test_hidden_characters_are_spelt_out() -> None:
    assert visible("a\u202eb\x1b[0m\u200b") == "a⟨U+202E⟩b⟨U+001B⟩[0m⟨U+200B⟩"
    assert "⟨U+202E⟩" in markup("text &#x202e; more")
    assert parse("```\nx\u202ey\n```")[0].code == "x⟨U+202E⟩y"


BOMBS = {
    "quotes": "> " * 5_000 + "x",
    "lists": "\n".join("  " * depth + "- x" for depth in range(400)),
    "emphasis": "*" * 9_000 + "a" + "*" * 9_000,
    "run": "x" * 400_000,
    "rows": "| a | b |\n|--|--|\n" + "| 1 | 2 |\n" * 5_000,
    "columns": "|" + "a|" * 4_000 + "\n|" + "-|" * 4_000 + "\n" + "|x\n" * 300,
    "blocks": "a\n\n" * 100_000,
    "brackets": "[" * 20_000,
    "links": "[a](" * 8_000,
    "code": "```\n" + "y = 1\n" * 20_000,
    "html": "<b>" * 30_000,
    "tables": "<table><tr><td>" * 5_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_bounded(name: str) -> None:
    start = time.process_time()
    html = markup(BOMBS[name])
    assert time.process_time() - start < 2
    assert len(html) < 4_000_000
    assert html.count("<blockquote") <= 16
    assert html.count("<tr>") <= 202


def test_what_is_cut_is_said() -> None:
    assert "The first 200 of 300 rows are shown" in markup("| a |\n|--|\n" + "| 1 |\n" * 300)
    assert "more characters are not shown" in markup("word " * 60_000 + "\n\n" + "end")
    code = parse("```\n" + "y = 1\n" * 4_900 + "```")[0]
    assert code.code.count("\n") == 4_899
    assert f"The first {MAX_BLOCK:,}" in code.note


def test_deep_nesting_is_shown_as_written() -> None:
    blocks = parse("> " * 40 + "deep")
    assert blocks[0].kind == "code"
    assert "deep" in blocks[0].code
