"""Answers from documents as a person meets them in the real window, heard through the accessibility tree.

An answer with three citations, each opened at its page with the passage marked; the next source by the viewer's own
button; a follow-up question; a question that the documents do not answer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.on_screen import driven, missing
from tests.e2e.program import Program
from vpa_desktop.trials.small_pdf import pdf_of

QUESTION = "What does the contract say about the penalty for late delivery?"
FOLLOW_UP = "And what about early delivery?"
NOT_THERE = "Who won the football world cup in 2018?"

PDF = "The penalty for late delivery is half a percent of the order value for each started week."
HTML = "The penalty for late delivery in the contract is never more than five percent of the order value."
MARKDOWN = "The contract says that the penalty for late delivery is due within thirty days of the delivery."
EARLY = "For early delivery the buyer pays a bonus of one percent of the order value."


@pytest.fixture
def filled(program: Program, tmp_path: Path) -> Program:
    """The program with three documents of different kinds that all speak of the penalty."""
    folder = tmp_path / "documents"
    folder.mkdir()
    pages = ("Preamble of the supplier contract between the parties named below.", "Definitions of terms.", PDF)
    (folder / "contract.pdf").write_bytes(pdf_of(pages))
    (folder / "annex.html").write_text(f"<h1>Annex B</h1><p>{HTML}</p><p>{EARLY}</p>", encoding="utf-8")
    (folder / "letter.md").write_text(f"# Letter\n\nDear Sir.\n\n## Terms\n\n{MARKDOWN}\n", encoding="utf-8")
    added = program("docs", "add", str(folder), "--json")
    assert added.json["added"] == 3, added.err
    return program


@pytest.mark.alone
@pytest.mark.ui
@pytest.mark.slow
@pytest.mark.model
@pytest.mark.skipif(bool(missing()), reason=missing() or "-")
def test_sources_are_opened_stepped_through_and_missed_in_words(filled: Program) -> None:
    heard = driven(filled, "tests.e2e.sources_walk", QUESTION, FOLLOW_UP, NOT_THERE)
    first = heard["first"]
    for n, sentence in ((n, s) for n in (1, 2, 3) for s in (PDF, HTML, MARKDOWN) if f"{s} [{n}]" in first["answer"]):
        assert_opened(first["opened"][n - 1], sentence)
    assert sorted(s for s in (PDF, HTML, MARKDOWN) if s in first["answer"]) == sorted((PDF, HTML, MARKDOWN))
    assert "*" not in first["answer"]
    assert {name.split(",")[0].split(": ")[1] for name in first["sources"]} == {
        "contract.pdf",
        "annex.html",
        "letter.md",
    }
    assert "contract.pdf, page 3" in " ".join(first["sources"])
    named = [page["name"] for n, page in enumerate(first["opened"], 1) if f"[{n}]" in first["answer"]]
    assert [page["place"] for page in first["stepped"][:4]] == ["1 of 3", "2 of 3", "3 of 3", "1 of 3"]
    assert [page["name"] for page in first["stepped"][:3]] == named
    assert EARLY in heard["follow_up"]
    assert heard["not_there"].startswith("Assistant: This is not in your documents: I found no passage about it.")


def assert_opened(page: dict[str, Any], sentence: str) -> None:
    """The viewer shows the page that the sentence is on, and the sentence is in the marked passage."""
    assert page["marked"].startswith("Marked: ")
    assert sentence in page["marked"]
    if sentence == PDF:
        assert page["name"] == "Page 3 of 3, contract.pdf"
    else:
        assert page["name"] == ("annex.html" if sentence == HTML else "letter.md")
        assert sentence in page["text"]
