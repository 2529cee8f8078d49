"""Golden questions in the documents tab: each with where its document was found, and the trend over the last runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from vpa_desktop.ui.chat.markdown import visible
from vpa_desktop.ui.chat.panel import SidePanel, label
from vpa_desktop.ui.dashboard.sparkline import Sparkline
from vpa_desktop.ui.widgets import Card, IconButton, theme_now
from vpa_desktop.ui.wording import tr

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence
    from typing import Any

    from vpa_desktop.golden import GoldenQuestion, GoldenRun
    from vpa_desktop.records import SearchResult
    from vpa_desktop.ui.ports import Golden
    from vpa_desktop.ui.tasks import TaskOwner


class GoldenPanel(SidePanel):
    """The questions of the collection that is shown."""

    run_wanted = Signal()
    remove_wanted = Signal(str)

    def __init__(self) -> None:
        self._shown: tuple[Sequence[GoldenQuestion], Sequence[GoldenRun]] | None = None
        super().__init__("Golden questions", None, theme_now())

    def show_questions(self, questions: Sequence[GoldenQuestion], runs: Sequence[GoldenRun]) -> None:
        """Shows the questions with the places of the last run; ``runs`` oldest first."""
        self._shown = (questions, runs)
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(20, 4, 20, 16)
        column.setSpacing(8)
        said = self.tr(
            "Questions whose document must be found. They are asked again after each change of the documents."
        )
        column.addWidget(label(said, dim=True))
        if not questions:
            how = self.tr("To save one, search for it, select the right passage and press “Must be found”.")
            column.addWidget(label(how))
        else:
            self._add_summary(column, runs)
        ranks = {each.question_id: each.rank for each in runs[-1].ranks} if runs else {}
        for question in questions:
            column.addWidget(self._card(question, question.id in ranks, ranks.get(question.id)))
        column.addStretch(1)
        self.show_content(body)

    def restyle(self) -> None:
        """Shows the same in the new colours."""
        if self._shown is not None:
            self.show_questions(*self._shown)

    def _add_summary(self, column: QVBoxLayout, runs: Sequence[GoldenRun]) -> None:
        row = QHBoxLayout()
        row.addWidget(label(found_words(runs) or self.tr("Not asked yet"), strong=True), 1)
        run = QPushButton(self.tr("Ask them now"))
        run.clicked.connect(self.run_wanted)
        row.addWidget(run)
        column.addLayout(row)
        if len(runs) > 1:
            trend = ", ".join(f"{run.found}/{run.questions}" for run in runs)
            values = tuple(run.found / max(1, run.questions) for run in runs)
            column.addWidget(Sparkline(values, self.tr("Found in the last runs: {0}").format(trend)))

    def _card(self, question: GoldenQuestion, was_asked: bool, rank: int | None) -> Card:
        card = Card(margins=12, spacing=2)
        row = QHBoxLayout()
        row.addWidget(label(visible(question.question), strong=True), 1)
        remove = IconButton("trash-2", self.tr("Remove this question: {0}").format(visible(question.question)), size=16)
        remove.clicked.connect(lambda: self.remove_wanted.emit(question.id))
        row.addWidget(remove)
        card.column.addLayout(row)
        page = self.tr(", page {0}").format(question.page) if question.page is not None else ""
        card.column.addWidget(label(f"{visible(question.document)}{page}", dim=True))
        card.column.addWidget(self._state(was_asked, rank))
        return card

    def _state(self, was_asked: bool, rank: int | None) -> QWidget:
        if rank is not None:
            return label(self.tr("Found, in place {0}").format(rank), ok=True)
        return label(self.tr("Not found"), warn=True) if was_asked else label(self.tr("Not asked yet"), dim=True)


def found_words(runs: Sequence[GoldenRun]) -> str:
    """Says how the last run went, and the one before where that was different; empty before the first."""
    if not runs:
        return ""
    said = tr("{0} of {1} found").format(runs[-1].found, runs[-1].questions)
    missed = [run.questions - run.found for run in runs[-2:]]
    if len(set(missed)) > 1:
        said += tr(" (before: {0} of {1})").format(runs[-2].found, runs[-2].questions)
    return said


class GoldenQuestions(QObject):
    """The coroutine beside: loads, runs, saves, removes. ``counted`` tells how many of the questions are found."""

    counted = Signal(str)

    def __init__(self, tasks: TaskOwner) -> None:
        super().__init__(tasks)
        self._tasks = tasks
        self._golden: Golden | None = None
        self._panel: GoldenPanel | None = None
        self.collection = ""

    def attach(self, golden: Golden) -> None:
        """From now on questions can be saved and asked."""
        self._golden = golden
        self.refresh()

    def open(self) -> GoldenPanel:
        """Returns a panel that shows the questions."""
        panel = self._panel = GoldenPanel()
        panel.run_wanted.connect(lambda: self._do(self._run()))
        panel.remove_wanted.connect(lambda question_id: self._do(self._remove(question_id)))
        panel.show_questions((), ())
        self.refresh()
        return panel

    def refresh(self, collection: str | None = None) -> None:
        """Loads the questions and runs again, of another collection where one is named."""
        if collection is not None:
            self.collection = collection
        self._do(self._load())

    def save(self, question: str, result: SearchResult) -> None:
        """Saves a question with the passage that must be found for it, and asks it."""
        self._do(self._add(question, result))

    def close(self) -> None:
        """Forgets the panel: it is shown no more."""
        self._panel = None

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        if self._golden is None:
            work.close()
        else:
            self._tasks.spawn("golden questions", work)

    async def _load(self) -> None:
        assert self._golden is not None
        questions = await self._golden.questions(self.collection)
        runs = await self._golden.runs(self.collection)
        self.counted.emit(f"{runs[-1].found}/{runs[-1].questions}" if questions and runs else "")
        if self._panel is not None and self._panel.isVisible():
            self._panel.show_questions(questions, runs)

    async def _run(self) -> None:
        assert self._golden is not None
        await self._golden.run(self.collection)
        await self._load()

    async def _add(self, question: str, result: SearchResult) -> None:
        assert self._golden is not None
        await self._golden.add(question, result.document_id, result.page, self.collection)
        await self._run()

    async def _remove(self, question_id: str) -> None:
        assert self._golden is not None
        await self._golden.remove([question_id])
        await self._run()
