"""Work on documents waits: for the person, for questions, for the battery; and says how long it still takes."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.fakes import FakeClock
from tests.rag.fakes import HashEmbedder, open_library
from tests.rag.test_keeping import pages, write
from vpa_desktop.rag.file_reading import Outcome
from vpa_desktop.rag.pace import LONGEST_QUESTION_S, LOOK_EVERY_S, Pace
from vpa_desktop.rag.tally import Tally
from vpa_desktop.records import HeldBy, IngestProgress, IngestReport


def test_only_background_work_minds_the_battery_and_only_where_that_is_set() -> None:
    clock, low, minds = FakeClock(), [True], [True]
    pace = Pace(mind_battery=lambda: minds[0], battery_low=lambda: low[0], clock=clock)
    assert pace.held(background=True) == "battery"
    assert pace.held(background=False) == ""
    low[0] = False
    assert pace.held(background=True) == "battery", "it is not looked at all the time"
    clock.advance(LOOK_EVERY_S)
    assert pace.held(background=True) == ""
    low[0], minds[0] = True, False
    clock.advance(LOOK_EVERY_S)
    assert pace.held(background=True) == ""


def test_a_question_holds_the_work_but_not_for_ever() -> None:
    clock = FakeClock()
    pace = Pace(battery_low=lambda: False, clock=clock)
    with pace.question(), pace.question():
        assert pace.held(background=False) == "question"
        clock.advance(LONGEST_QUESTION_S)
        assert pace.held(background=False) == ""
    assert pace.held(background=False) == ""


async def test_what_is_paused_goes_on_where_it_was(tmp_path: Path) -> None:
    docs, pace, embedder = tmp_path / "docs", Pace(battery_low=lambda: False), HashEmbedder()
    for number in range(3):
        write(docs / f"{number}.txt", pages(number))
    held: list[HeldBy] = []
    async with open_library(tmp_path, embedder, pace=pace) as knowledge:

        async def add() -> IngestReport:
            async for step in knowledge.add_paths([docs]):
                if isinstance(step, IngestReport):
                    return step
                held.append(step.held)
                if step.current == "1.txt" and not held.count("paused"):
                    pace.pause()
            raise AssertionError("an ingestion ends with its report")

        adding = asyncio.create_task(add())
        while "paused" not in held:  # noqa: ASYNC110 - the work says it, not an event
            await asyncio.sleep(0.01)
        assert len(await knowledge.list_documents()) == 2, "what was read is stored before the work is held"
        assert embedder.embedded == []
        assert (await knowledge.search_knowledge("Fact 0-3", 1)).results, "questions are answered meanwhile"
        pace.go_on()
        report = await adding
        assert (report.added, len(await knowledge.list_documents())) == (3, 3)


async def test_no_batch_begins_while_a_question_is_answered(tmp_path: Path) -> None:
    docs, pace = tmp_path / "docs", Pace(battery_low=lambda: False)
    write(docs / "a.txt", pages(1, 2))
    embedder = HashEmbedder()
    async with open_library(tmp_path, embedder, pace=pace) as knowledge:
        steps = knowledge.add_paths([docs])
        with pace.question():
            async for step in steps:
                if isinstance(step, IngestProgress) and step.held == "question":
                    break
            assert embedder.embedded == []
        last: IngestProgress | IngestReport | None = None
        async for step in steps:
            last = step
        assert isinstance(last, IngestReport)
        assert last.added == 1


def test_the_time_left_follows_the_pace_and_leaves_waiting_out() -> None:
    clock = FakeClock()
    tally = Tally(clock)
    tally.files_total = 10
    assert tally.progress().left_s is None
    clock.advance(2)
    tally.count("a", Outcome("added", 5))
    tally.hold("paused")
    clock.advance(100)
    assert tally.progress(held="paused").left_s is None
    tally.hold("")
    step = tally.progress()
    assert (step.files_done, step.files_per_s, step.elapsed_s) == (1, 0.5, 102)
    assert step.left_s == 98  # reading is a fifth of 10 files x 2 s x 5
    clock.advance(18)
    tally.begin_embedding(50)
    clock.advance(4)
    tally.embedded(20)
    step = tally.progress()
    assert (step.files_per_s, step.chunks_per_s, step.left_s) == (0.05, 5.0, 6.0)
