"""The kinds of files that can be asked about, as people call them, with the endings their names have.

The one list: the window's dialogs, the README and the reader go by it. What a file really is, its first bytes say.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DocumentKind:
    """Files that a person knows by one word, and their endings in small letters with the dot."""

    name: str
    suffixes: tuple[str, ...]


DOCUMENT_KINDS = (
    DocumentKind("PDF", (".pdf",)),
    DocumentKind("Word and Writer", (".docx", ".docm", ".dotx", ".doc", ".odt", ".ott", ".fodt", ".rtf")),
    DocumentKind("Excel and Calc", (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".csv", ".tsv", ".tab")),
    DocumentKind("PowerPoint and Impress", (".pptx", ".pptm", ".ppsx", ".ppt", ".pps", ".odp", ".otp", ".fodp")),
    DocumentKind("E-books", (".epub",)),
    DocumentKind("E-mail", (".eml", ".msg")),
    DocumentKind("Markdown", (".md", ".markdown", ".mdown", ".mkd")),
    DocumentKind("Web pages", (".html", ".htm", ".xhtml", ".mht", ".mhtml")),
    DocumentKind("Text", (".txt", ".text", ".log", ".rst", ".adoc", ".org", ".tex")),
    DocumentKind("Notebooks", (".ipynb",)),
    DocumentKind(
        "Data", (".json", ".jsonl", ".ndjson", ".xml", ".rss", ".atom", ".yaml", ".yml", ".toml", ".ini", ".cfg")
    ),
    DocumentKind(
        "Code",
        tuple(
            ".py .pyi .js .mjs .cjs .jsx .ts .tsx .java .kt .kts .c .h .cc .cpp .cxx .hh .hpp .cs .go .rs .rb .php "
            ".pl .pm .swift .m .mm .scala .clj .hs .ml .ex .exs .erl .lua .r .jl .dart .vb .pas .f90 .sql .sh .bash "
            ".zsh .fish .ps1 .bat .cmd .css .scss .less .vue .svelte .gradle .cmake .mk .proto .graphql .tf .diff "
            ".patch".split()
        ),
    ),
    DocumentKind("Pictures", (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp")),
    DocumentKind("ZIP archives", (".zip",)),
)
"""In the order in which they are shown. Pictures need the program tesseract, which reads what is written in them."""


def suffixes_of(name: str) -> frozenset[str]:
    """Returns the endings of one kind. Raises KeyError when there is none of that name."""
    return frozenset({kind.name: kind.suffixes for kind in DOCUMENT_KINDS}[name])
