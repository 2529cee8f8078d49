"""One list says which files can be asked about: the README and the reader agree with it."""

from __future__ import annotations

from importlib import import_module
from itertools import chain
from pathlib import Path

import pytest

from vpa_desktop.document_kinds import DOCUMENT_KINDS, DocumentKind, suffixes_of
from vpa_desktop.errors import DocumentUnreadable
from vpa_desktop.rag.folders import could_be_document
from vpa_desktop.rag.kinds import kind_of
from vpa_desktop.rag.loaders import LOADERS

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")


def test_no_ending_is_named_twice_and_none_is_passed_over_in_a_folder() -> None:
    suffixes = list(chain.from_iterable(kind.suffixes for kind in DOCUMENT_KINDS))
    assert len(suffixes) == len(set(suffixes))
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in suffixes)
    assert [suffix for suffix in suffixes if not could_be_document(Path(f"a{suffix}"))] == []


def test_every_kind_has_its_reader() -> None:
    for loader in LOADERS.values():
        assert callable(getattr(import_module(f"vpa_desktop.rag.{loader.module}"), loader.function))


@pytest.mark.parametrize("kind", DOCUMENT_KINDS, ids=lambda kind: kind.name)
def test_the_readme_names_every_kind_with_its_endings(kind: DocumentKind) -> None:
    shown = " ".join(kind.suffixes) if kind.name != "Code" else ".py .js"
    assert f"| {kind.name} | {shown} " in README


def test_a_plain_text_of_every_name_is_read_or_refused_by_its_name() -> None:
    kinds: dict[str, str] = {}
    refused: dict[str, str] = {}
    for suffix in chain.from_iterable(kind.suffixes for kind in DOCUMENT_KINDS):
        try:
            kinds[suffix] = kind_of(b"plain words\n", Path(f"a{suffix}"))
        except DocumentUnreadable as refusal:
            refused[suffix] = refusal.why
    assert all("Its name says so" in why for why in refused.values())
    assert set(kinds.values()) <= set(LOADERS)
    assert {kinds[suffix] for suffix in suffixes_of("Code")} == {"lines"}
    assert kinds[".txt"] == "text"
    assert {".pdf", ".docx", ".zip", ".png"} <= set(refused)
