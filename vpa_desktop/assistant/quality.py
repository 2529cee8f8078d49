"""How well an answer stands on the passages it was given, computed from words alone: no model, under a millisecond.

A statement counts as supported when its numbers and at least half of its words are in the passages it names, or in
another one. That cannot be judged where answer and passages are in different languages, which is said instead of a
bad mark.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from vpa_desktop.assistant.citing import cited, without_citations
from vpa_desktop.assistant.extract import EXTRACT_MODEL, quoted
from vpa_desktop.assistant.grounds import Grounds, is_question
from vpa_desktop.assistant.words import numbers, sentences, short_words, stems
from vpa_desktop.evidence import Quality
from vpa_desktop.messages import Citation, LLMResponse

SUPPORTED_SHARE: Final = 0.5
LEAST_WORDS: Final = 3
SAME_LANGUAGE: Final = 0.3
_JUDGED_SHORT_WORDS: Final = 8
_CODE: Final = re.compile(r"```.*?(?:```|\Z)|`[^`]*`", re.DOTALL)
_ITEM: Final = re.compile(r"(?:[-*+•]|\d{1,3}[.)])\s+")
_EMPHASIS: Final = re.compile(r"[*_~\\]+")
_CITATION_AFTER_END: Final = re.compile(r"([.!?。！？])((?:\s*\[[\d ,;–-]+\])+)")
_SAYS_NOTHING_THERE: Final = re.compile(
    r"\b(?:documents?|passages?|sources?|texts?|excerpts?|context)\b.{0,60}\b(?:no|not|n't|nothing|none)\b|"
    r"\b(?:no|not|n't|nothing|none)\b.{0,60}\b(?:documents?|passages?|sources?|texts?|excerpts?|context)\b",
    re.IGNORECASE,
)


def judged(answer: str, citations: Sequence[Citation], confidence: float | None) -> Quality:
    """Returns the quality of a whole answer; ``citations`` are the passages that were sent."""
    if not citations:
        return Quality(found=False)
    prose = _prose(answer)
    told = [(said, cited(said), " ".join(without_citations(said).split())) for said in sentences(prose)]
    statements = [each for each in told if _is_statement(each[2])]
    if not statements:
        return Quality(found=True, retrieval_confidence=confidence)
    covered = sum(1 for each in statements if each[1])
    if not _same_language(prose, citations):
        return Quality(True, confidence, covered / len(statements), None, len(statements))
    wrong: list[str] = []
    elsewhere: list[str] = []
    for _, named, plain in statements:
        if _stands(plain, [c for c in citations if c.n in named]):
            continue
        in_another = any(_stands(plain, [c]) for c in citations if c.n not in named)
        if not in_another:
            wrong.append(plain)
        elif named:
            elsewhere.append(plain)
    grounded = 1 - len(wrong) / len(statements)
    return Quality(
        True, confidence, covered / len(statements), grounded, len(statements), tuple(wrong), tuple(elsewhere)
    )


def quality_of(answer: LLMResponse, grounds: Grounds, question: str) -> Quality | None:
    """Returns how well an answer stands on its grounds; None where the documents were not asked anything."""
    if not grounds.searched or (grounds.none_found and not is_question(question)):
        return None
    said = quoted(answer.content) if answer.model == EXTRACT_MODEL else answer.content
    return judged(said, grounds.context.citations, grounds.context.confidence)


def _prose(answer: str) -> str:
    """The answer without code and Markdown's marks, each citation before the end of the sentence it follows."""
    text = _EMPHASIS.sub("", "\n".join(_plain_line(line) for line in _CODE.sub(" ", answer).splitlines()))
    return _CITATION_AFTER_END.sub(lambda m: f"{m[2]}{m[1]}", text)


def _plain_line(line: str) -> str:
    """A line without the marks before it; an item or a row of a table stands alone, a heading says nothing."""
    said = line.strip().lstrip("> ")
    if said.startswith("#") or not said.strip("|:- "):
        return ""
    if item := _ITEM.match(said):
        return f"\n{said[item.end() :]}\n"
    return f"\n{' '.join(said.strip('|').split('|'))}\n" if said.startswith("|") else said


def _is_statement(sentence: str) -> bool:
    """False for questions, lead-ins, what is too short to say something, and "the documents do not say"."""
    said = sentence.strip()
    if said.endswith(("?", "？", ":")) or len(stems(said)) < LEAST_WORDS:
        return False
    return not _SAYS_NOTHING_THERE.search(said)


def _stands(statement: str, passages: Sequence[Citation]) -> bool:
    """Whether these passages have a statement's numbers and most of its words."""
    text = "\n".join(f"{c.title} {c.section} {c.text}" for c in passages)
    wanted = {stem for stem in stems(statement) if not any(map(str.isdigit, stem))}
    if not numbers(statement) <= numbers(text):
        return False
    return len(wanted & stems(text)) >= SUPPORTED_SHARE * len(wanted)


def _same_language(answer: str, citations: Sequence[Citation]) -> bool:
    """Whether the short words of the answer, which every language has its own of, are those of the passages."""
    text = "\n".join(c.text for c in citations)
    if any(char.isalpha() and char < "\u0250" for char in answer) != any(
        char.isalpha() and char < "\u0250" for char in text
    ):
        return False
    said = short_words(without_citations(answer))
    if len(said) < _JUDGED_SHORT_WORDS:
        return True
    known = set(short_words(text))
    return sum(word in known for word in said) >= SAME_LANGUAGE * len(said)
