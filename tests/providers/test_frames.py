"""JSON objects from bytes: the same objects wherever the bytes are cut, as lines, as an array or among events."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpa_desktop.providers._frames import Framing, JSONFrames, SSEOrJSON
from vpa_desktop.providers._sse import LineTooLong, SSEEvent

TEXT = st.text(alphabet='aü👋\u2028\x85\x0b{}[]",:\\\n ', max_size=8)
OBJECTS = st.lists(st.dictionaries(TEXT, TEXT | st.lists(TEXT, max_size=2) | st.dictionaries(TEXT, TEXT, max_size=2)))


def decode(frames: Framing, pieces: list[bytes]) -> list[SSEEvent]:
    events = [event for piece in pieces for event in frames.feed(piece)]
    return events + frames.finish()


def objects(body: bytes, size: int) -> list[Any]:
    pieces = [body[i : i + size] for i in range(0, len(body), size)]
    return [json.loads(event.data) for event in decode(JSONFrames(), pieces)]


@given(OBJECTS, st.integers(1, 40), st.booleans(), st.sampled_from([None, 1]))
def test_lines_cut_anywhere(rows: list[Any], size: int, ascii_only: bool, blank: int | None) -> None:
    lines = [json.dumps(row, ensure_ascii=ascii_only) for row in rows]
    body = ("\n" * (blank or 0) + "\r\n\n".join(lines)).encode()
    assert objects(body, size) == rows


@given(OBJECTS, st.integers(1, 40), st.sampled_from([None, 2]))
def test_an_array_cut_anywhere(rows: list[Any], size: int, indent: int | None) -> None:
    body = json.dumps(rows, ensure_ascii=False, indent=indent).encode()
    assert objects(body, size) == rows
    assert objects(b"\xef\xbb\xbf" + body, size) == rows


def test_an_object_comes_as_soon_as_it_is_whole() -> None:
    frames = JSONFrames()
    assert [event.data for event in frames.feed(b'[{"a": 1}\r\n,{"b"')] == ['{"a": 1}']
    assert [event.data for event in frames.feed(b": 2}")] == ['{"b": 2}']
    assert frames.lines == 3


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"a": {"b": ["}"', [SSEEvent('{"a": {"b": ["}"', whole=False)]),
        (b"no such path\n", [SSEEvent("no such path")]),
        (b'oops {"a": 1}', [SSEEvent("oops"), SSEEvent('{"a": 1}')]),
        (b'[null, {"a": 1}, 7]', [SSEEvent("null"), SSEEvent('{"a": 1}'), SSEEvent("7")]),
        (b"[]", []),
        (b"  \r\n", []),
        (b"", []),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 99])
def test_what_is_not_whole_or_not_json(body: bytes, expected: list[SSEEvent], size: int) -> None:
    assert decode(JSONFrames(), [body[i : i + size] for i in range(0, len(body), size)]) == expected


def test_an_endless_object_is_refused() -> None:
    frames = JSONFrames(limit=1000)
    frames.feed(b'{"a": "')
    frames.feed(b"x" * 900)
    with pytest.raises(LineTooLong):
        frames.feed(b"x" * 100)


ERROR = b'{\n  "error": {\n    "code": 500\n  }\n}\n'


@given(st.integers(1, 50), st.sampled_from([b"\n", b"\r\n"]), st.booleans(), st.booleans())
def test_bare_json_among_events(size: int, end: bytes, wrapped: bool, last: bool) -> None:
    error = ERROR.replace(b"\n", end)
    error = b"[" + error.strip() + b"]" + end if wrapped else error
    body = b'data: {"a": 1}' + end + end + error + (b"" if last else end + b'data:{"b": 2}' + end + end)
    events = decode(SSEOrJSON(), [body[i : i + size] for i in range(0, len(body), size)])
    found = [json.loads(event.data) for event in events]
    assert found == [{"a": 1}, {"error": {"code": 500}}, *([] if last else [{"b": 2}])]


def test_half_a_bare_object_is_marked() -> None:
    assert decode(SSEOrJSON(), [b'data: 1\n\n{\n "error": {']) == [
        SSEEvent("1"),
        SSEEvent('{\n "error": {', whole=False),
    ]
