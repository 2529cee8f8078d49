"""A conversation as one HTML file that loads nothing: its own pictures lie in it, nothing comes from elsewhere."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from vpa_desktop.assistant.conversation_text import author_of, place_of, route_lines, span_of, title_of
from vpa_desktop.messages import ImageData
from vpa_desktop.records import ConversationRecord, MessageRecord

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

Pictures = Mapping[str, Sequence[ImageData]]

SCHEMES: Final = ("http://", "https://", "mailto:")
MOST_RENDERED: Final = 400_000
"""Characters of one message that are read as Markdown; a longer one is shown as plain text."""

STYLE: Final = """
:root { color-scheme: light dark }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 46rem; margin: 2.5rem auto; padding: 0 1rem }
article { margin: 1.75rem 0; overflow-wrap: anywhere }
.user { border-left: 3px solid #7a7fd6; padding-left: 1rem }
h1 { font-size: 1.5rem } h2 { font-size: .85rem; font-weight: 600; opacity: .7; margin: 0 0 .5rem }
pre { overflow-x: auto; padding: .75rem; border: 1px solid #8884; border-radius: 6px; white-space: pre-wrap }
code { font-family: ui-monospace, monospace; font-size: .9em }
figure { margin: .5rem 0 } figure img { max-width: 100%; max-height: 24rem; border-radius: 6px }
figcaption { font-size: .85rem; opacity: .7 }
table { border-collapse: collapse } td, th { border: 1px solid #8886; padding: .25rem .5rem }
details { font-size: .85rem; opacity: .85; margin-top: .5rem }
"""
POLICY: Final = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def to_html(
    conversations: Iterable[tuple[ConversationRecord, Sequence[MessageRecord]]],
    pictures: Pictures = MappingProxyType({}),
) -> str:
    """Return one page with the conversations one after another; ``pictures`` are those of messages, by their ids."""
    parser = _parser()
    shown = [(title_of(each), _conversation(parser, each, messages, pictures)) for each, messages in conversations]
    title = shown[0][0] if len(shown) == 1 else "Conversations from VPA Desktop"
    return _page(title, [body for _, body in shown])


def _page(title: str, bodies: Iterable[str]) -> str:
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n<hr>\n".join(bodies)
        + "\n</body>\n</html>\n"
    )


def _conversation(
    parser: MarkdownIt, record: ConversationRecord, messages: Sequence[MessageRecord], pictures: Pictures
) -> str:
    head = f"<h1>{escape(title_of(record))}</h1>\n<p><small>{escape(span_of(record))}.</small></p>"
    return "\n".join([head, *(_message(parser, message, pictures) for message in messages)])


def _message(parser: MarkdownIt, message: MessageRecord, pictures: Pictures) -> str:
    text = message.content or message.error
    is_markdown = message.role == "assistant" and len(text) <= MOST_RENDERED
    body = parser.render(text) if is_markdown else f'<p style="white-space: pre-wrap">{escape(text)}</p>\n'
    body += "".join(map(_figure, pictures.get(message.id, ())))
    under = _details("Sources", [f"{place_of(c)}: “{' '.join(c.text.split())}”" for c in message.citations], "ol")
    under += _details("Route", route_lines(message), "ul") + _details("Notes", message.warnings, "ul")
    return f'<article class="{message.role}">\n<h2>{escape(author_of(message))}</h2>\n{body}{under}</article>'


def _figure(picture: ImageData) -> str:
    source = f"data:{escape(picture.media_type)};base64,{base64.b64encode(picture.data).decode('ascii')}"
    name = escape(picture.name or "A picture")
    return f'<figure><img alt="{name}" src="{source}"><figcaption>{name}</figcaption></figure>\n'


def _details(name: str, lines: Iterable[str], kind: str) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<details><summary>{name}</summary><{kind}>{items}</{kind}></details>\n" if items else ""


def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 60}).enable(["table", "strikethrough"])
    parser.disable("image")  # a picture from elsewhere would tell that the page was opened
    parser.validateLink = lambda url: url.lower().startswith(SCHEMES)  # type: ignore[method-assign]
    return parser
