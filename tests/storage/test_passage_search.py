"""Keyword search: rare words first, the ranking of bm25, and only where it was asked to look."""

from __future__ import annotations

from array import array
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from vpa_desktop.storage import passage_search
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.fulltext import grams_of
from vpa_desktop.storage.passage_search import COMMON, PassageSearch, affordable

np = pytest.importorskip("numpy")


class Passages:
    """A database with passages and nothing else."""

    def __init__(self, db: Database) -> None:
        self.search = PassageSearch(db)
        self._db = db

    async def add(self, *texts: str) -> None:
        rows = [(text, f"{text} {n}", grams_of(text)) for n, text in enumerate(texts)]
        sql = "INSERT INTO passages (text, text_hash, grams) VALUES (?, ?, ?)"
        await self._db.write(lambda db: db.conn.executemany(sql, rows))

    async def bm25(self, words: Sequence[str]) -> list[int]:
        sql = "SELECT rowid FROM passages_fts WHERE passages_fts MATCH ? ORDER BY bm25(passages_fts, 1.0, 1.0), rowid"
        return await self._db.read(lambda db: [i for (i,) in db.execute(sql, [" OR ".join(words)])])


@pytest.fixture
async def passages(tmp_path: Path) -> AsyncIterator[Passages]:
    db = await Database.open(tmp_path / "vpa.db", backups=tmp_path / "backups")
    yield Passages(db)
    await db.aclose()


WORDS = "red green blue amber violet grey".split()


async def fill(passages: Passages, count: int = 300) -> None:
    chance = np.random.default_rng(2)
    await passages.add(*(" ".join(chance.choice(WORDS, size=2 + n % 7)) for n in range(count)))


async def test_the_ranking_is_that_of_bm25(passages: Passages) -> None:
    await fill(passages)
    frequencies, hits = await passages.search.by_words(["amber", "grey", "absent"], 1000)
    assert [i for i, _ in hits] == await passages.bm25(["amber", "grey"])
    assert frequencies["absent"] == 0
    assert frequencies["amber"] == len(await passages.bm25(["amber"]))
    assert [score for _, score in hits] == sorted((score for _, score in hits), reverse=True)


async def test_of_many_the_ones_with_the_most_rare_words_are_ranked(
    passages: Passages, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(passages)
    await passages.add("scarlet amber", "scarlet", "scarlet amber grey")
    monkeypatch.setattr(passage_search, "_RANKED", 3)
    _, hits = await passages.search.by_words(["scarlet", "amber", "grey"], 2)
    assert sorted(i for i, _ in hits) == [301, 303]


async def test_common_words_are_left_out_unless_there_is_nothing_else(
    passages: Passages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passage_search, "COMMON", 20)
    await fill(passages)
    await passages.add("scarlet")
    for _ in range(2):  # the second time they are known
        frequencies, hits = await passages.search.by_words(["amber", "scarlet"], 10)
        assert [i for i, _ in hits] == [301]
        assert 50 < frequencies["amber"] < 300
    _, hits = await passages.search.by_words(["amber", "grey"], 1000)
    both = set(await passages.bm25(["amber"])) & set(await passages.bm25(["grey"]))
    assert {i for i, _ in hits} <= both
    assert len(hits) == 21


async def test_a_search_can_be_limited(passages: Passages) -> None:
    await fill(passages)
    among = array("q", [5, 6, 7, 250, 999])
    _, hits = await passages.search.by_words(WORDS, 100, among)
    assert {i for i, _ in hits} == {5, 6, 7, 250}
    assert (await passages.search.by_words(WORDS, 100, array("q")))[1] == []
    assert await passages.search.by_words([], 100) == ({}, [])


async def test_beginnings_and_grams(passages: Passages) -> None:
    await passages.add("Die Verteidigungen waren stark", "Das Wetter ist gut", "中国的首都在哪里", "日本語の文書")
    assert [i for i, _ in (await passages.search.by_beginnings(["Verteidig"], 5))[1]] == [1]
    assert [i for i, _ in (await passages.search.by_grams(["首都", "中国"], 5))[1]] == [3]
    assert [i for i, _ in (await passages.search.by_words(['say "hi"', "wetter"], 5))[1]] == [2]


async def test_a_frequent_word_that_is_known_is_searched_for_all_the_same(
    passages: Passages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passage_search, "_FREQUENT", 20)
    await fill(passages)
    first = [await passages.search.by_words(some, 1000) for some in (WORDS, ["amber"], ["blue", "grey"])]
    again = [await passages.search.by_words(some, 1000) for some in (WORDS, ["amber"], ["blue", "grey"])]
    assert first == again
    assert [i for i, _ in again[1][1]] == await passages.bm25(["amber"])
    await passages.add("amber " * 3)
    frequencies, hits = await passages.search.by_words(["amber"], 1000)
    assert hits[0][0] == 301
    assert len(hits) == frequencies["amber"] + 1


def test_the_rarest_are_always_affordable() -> None:
    frequencies = {"common": 900, "rare": 3, "middling": 80, "absent": 0}
    assert affordable(frequencies, budget=100) == ["rare", "middling"]
    assert affordable({"common": 900}, budget=100) == ["common"]
    assert affordable({"everywhere": COMMON + 1, "rare": 3}) == ["rare"]


async def test_a_word_that_is_nowhere_is_taken_for_the_one_it_is_a_letter_off(passages: Passages) -> None:
    await passages.add("Two interceptions were made", "An interception", "Die Bruecke und die Tür", "Muellers Haus")
    spelled = await passages.search.spelled(["intreceptions", "brücke", "made", "müllers", "tuer", "Pinguin", "N1458U"])
    assert spelled == {"intreceptions": "interceptions", "müllers": "muellers"}
    assert await passages.search.spelled(["interceptionsx", "hauss"]) == {
        "interceptionsx": "interceptions",
        "hauss": "haus",
    }
    assert await passages.search.spelled(["brücke"]) == {"brücke": "bruecke"}


async def test_of_several_spellings_the_most_frequent_is_taken(passages: Passages) -> None:
    await passages.add("colour", "a colour", "color")
    assert await passages.search.spelled(["colur"]) == {"colur": "colour"}
