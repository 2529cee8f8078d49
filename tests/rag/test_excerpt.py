"""The part of a passage that is taken where all of it is too long."""

from __future__ import annotations

from vpa_desktop.rag.excerpt import LEAST_TOKENS, best_part

DULL = "The weather stayed as it was for the whole of that month and nobody wrote down anything about it."
RENT = "The tenant pays the rent on the first day of each month to the account that the landlord names."
GARDEN = "The garden may be used by all who live in the house, as long as nobody is disturbed by the noise."
TEXT = f"{DULL} {RENT} {GARDEN}"
TOKENS = 60


def part(words: list[str], most: int, text: str = TEXT) -> str | None:
    found = best_part(text, TOKENS, most, words)
    return None if found is None else text[slice(*found)]


def test_the_sentences_with_most_of_the_words_are_taken() -> None:
    assert part(["tenant", "rent"], LEAST_TOKENS) == RENT
    assert part(["garden", "noisy"], LEAST_TOKENS) == GARDEN
    assert part(["tenants", "gardens"], 45) == f"{RENT} {GARDEN}"


def test_where_no_word_is_there_the_most_text_is_taken() -> None:
    assert part(["submarine"], 45) in (f"{DULL} {RENT}", f"{RENT} {GARDEN}")


def test_nothing_is_cut_inside_a_sentence() -> None:
    assert part(["tenant"], LEAST_TOKENS - 1) is None
    assert part(["tenant"], LEAST_TOKENS, "word " * 300) is None
