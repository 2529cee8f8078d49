"""The bridge from signals to coroutines: newest wins, failures are told once, nothing outlives its owner."""

from __future__ import annotations

import asyncio
import logging

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QDialog

from tests.ui.conftest import until
from vpa_desktop.errors import DiskFull, VPAError
from vpa_desktop.ui.tasks import TaskOwner, ask

pytestmark = pytest.mark.ui


async def test_the_newest_of_a_name_wins_and_waits_for_the_end_of_the_one_before() -> None:
    owner, seen = TaskOwner(), []

    async def work(n: int) -> None:
        try:
            await asyncio.sleep(0.03)
            seen.append(f"done {n}")
        except asyncio.CancelledError:
            await asyncio.sleep(0.01)
            seen.append(f"cleaned {n}")
            raise

    owner.spawn("search", work(1))
    await asyncio.sleep(0.005)
    owner.spawn("search", work(2))
    await until(lambda: "done 2" in seen)
    assert seen == ["cleaned 1", "done 2"]
    await until(lambda: not owner.running("search"))


async def test_an_error_of_ours_is_told_as_it_is() -> None:
    owner = TaskOwner()
    told: list[VPAError] = []
    owner.failed.connect(told.append)
    error = DiskFull("The disk is full")

    async def work() -> None:
        raise error

    owner.spawn("x", work())
    await until(lambda: told)
    assert told == [error]


async def test_any_other_error_is_logged_and_told_in_plain_words(
    caplog: pytest.LogCaptureFixture, request: pytest.FixtureRequest
) -> None:
    owner = TaskOwner()
    told: list[VPAError] = []
    owner.failed.connect(told.append)

    async def work() -> None:
        raise ZeroDivisionError("secret detail")

    with caplog.at_level(logging.CRITICAL, logger="vpa_desktop.ui.tasks"):
        owner.spawn("x", work())
        await until(lambda: told)
    assert isinstance(told[0], VPAError)
    assert "secret detail" not in str(told[0])
    assert "log" in str(told[0])


async def test_closing_cancels_everything_and_nothing_starts_afterwards() -> None:
    owner, ended = TaskOwner(), []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(1)
            owner.spawn("late", later())

    async def later() -> None:
        ended.append(2)

    owner.spawn("x", work())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await owner.aclose()
    assert ended == [1]
    assert not owner.running("late")


async def test_asking_lets_other_tasks_go_on() -> None:
    ticks: list[int] = []

    async def tick() -> None:
        for n in range(5):
            await asyncio.sleep(0.01)
            ticks.append(n)

    dialog = QDialog()
    other = asyncio.get_running_loop().create_task(tick())
    QTimer.singleShot(80, dialog.accept)
    assert await ask(dialog) == QDialog.DialogCode.Accepted
    assert ticks == [0, 1, 2, 3, 4]
    await other


async def test_a_cancelled_question_closes_its_dialog() -> None:
    dialog = QDialog()
    closed: list[int] = []
    dialog.finished.connect(closed.append)
    question = asyncio.get_running_loop().create_task(ask(dialog))
    await asyncio.sleep(0.02)
    assert dialog.isVisible()
    question.cancel()
    with pytest.raises(asyncio.CancelledError):
        await question
    assert closed == [QDialog.DialogCode.Rejected]
