"""The event decoder: the same events wherever the bytes are cut, and nothing but CR and LF ends a line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpa_desktop.providers._sse import LineTooLong, SSEDecoder, SSEEvent

LINES = st.lists(
    st.one_of(
        st.sampled_from([b"", b"", b": ping", b"data", b"event: error", b"retry: 3", b"id: 1"]),
        st.text(alphabet="aü👋\u2028\u2029\x85\x0b\x0c\x1c: ", max_size=8).map(lambda text: b"data:" + text.encode()),
    ),
    max_size=20,
)


def decode(pieces: list[bytes]) -> list[SSEEvent]:
    decoder = SSEDecoder()
    events = [event for piece in pieces for event in decoder.feed(piece)]
    return events + decoder.finish()


@given(LINES, st.sampled_from([b"\n", b"\r\n", b"\r"]), st.booleans(), st.data())
def test_any_cut_gives_the_same_events(lines: list[bytes], end: bytes, bom: bool, data: st.DataObject) -> None:
    stream = (b"\xef\xbb\xbf" if bom else b"") + end.join(lines)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=12)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    whole = decode([stream])
    assert decode(pieces) == whole
    assert decode([stream[i : i + 1] for i in range(len(stream))]) == whole


@given(st.lists(st.text(max_size=20).map(lambda text: text.replace("\r", "").replace("\n", "")), max_size=5))
def test_text_comes_back_as_it_was_sent(texts: list[str]) -> None:
    stream = "".join(f"data: {text}\n\n" for text in texts).encode()
    assert [event.data for event in decode([stream])] == texts


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"data:a\ndata: b\n\n", [SSEEvent("a\nb")]),
        (b"\xef\xbb\xbfdata: a\n\n", [SSEEvent("a")]),
        (b"event: error\rdata: a\r\r", [SSEEvent("a", "error")]),
        (b"event: heartbeat\n\ndata: a\n\n", [SSEEvent("a")]),
        (b": comment\n\nid: 7\nfoo\n\n", []),
        (b"data: a", [SSEEvent("a", whole=False)]),
        (b"data:  two spaces\n\n", [SSEEvent(" two spaces")]),
        (b"data: \xff\n\n", [SSEEvent("\ufffd")]),
    ],
)
def test_the_standard(stream: bytes, expected: list[SSEEvent]) -> None:
    assert decode([stream]) == expected


def test_crlf_cut_in_two_is_one_line_end() -> None:
    assert decode([b"data: a\r", b"\n", b"\r", b"\ndata: b\r\n\r\n"]) == [SSEEvent("a"), SSEEvent("b")]


def test_comments_count_as_lines_but_make_no_event() -> None:
    decoder = SSEDecoder()
    assert decoder.feed(b": OPENROUTER PROCESSING\n") == []
    assert decoder.lines == 1


def test_an_endless_line_is_refused() -> None:
    decoder = SSEDecoder(limit=1000)
    for _ in range(10):
        decoder.feed(b"x" * 100)
    with pytest.raises(LineTooLong):
        decoder.feed(b"x")


def test_an_endless_event_is_refused() -> None:
    decoder = SSEDecoder(limit=1000)
    decoder.feed(b"data: xxxxxxxx\n" * 100)
    with pytest.raises(LineTooLong):
        decoder.feed(b"data: xxxxxxxx\n" * 20)
