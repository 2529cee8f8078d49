"""The documents tab: what is known, adding and removing, and searching it. The work is the backend's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QKeySequence, QResizeEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QPushButton,
    QStackedWidget,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from vpa_desktop.ui.dialogs import choose_documents, choose_folder, confirm
from vpa_desktop.ui.documents.folder_menu import FolderMenu
from vpa_desktop.ui.documents.golden import GoldenQuestions
from vpa_desktop.ui.documents.model import ADDED, COLLECTION, NAME, PAGES, PASSAGES, STATE, DocumentModel
from vpa_desktop.ui.documents.preview import Preview
from vpa_desktop.ui.documents.results import RESULT_ROLE, PassageList
from vpa_desktop.ui.documents.strip import IngestStrip
from vpa_desktop.ui.widgets import IconButton, IconLabel, MenuButton, PlainLabel, SearchLine, TintedButton
from vpa_desktop.ui.wording import first_words, milliseconds, tr, whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vpa_desktop.records import DocumentRecord, IngestProgress
    from vpa_desktop.ui.documents.ingestion import Ingestion
    from vpa_desktop.ui.ports import Backend
    from vpa_desktop.ui.tasks import TaskOwner

SEARCH_DELAY_MS = 250
NARROW_PX, NARROWEST_PX = 760, 480
LEAST_PX = 280


class DocumentsPage(QWidget):
    """Documents with their states, and the passages a search finds in them."""

    changed = Signal()
    preview_opened = Signal()
    preview_closed = Signal()

    def __init__(self, tasks: TaskOwner, ingestion: Ingestion) -> None:
        super().__init__()
        self._tasks, self._ingestion = tasks, ingestion
        self._backend: Backend | None = None
        self._model = DocumentModel(self)
        self.list = self._make_list()
        self._shown: str | None = None
        self.collections = MenuButton("chevron-down", self.tr("Collections"), " ", size=14)
        self.collections.setProperty("pill", True)
        self.collections.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
        self._offer([])
        self.search = self._make_search()
        self.passages = PassageList()
        self.folders = FolderMenu(tasks)
        self._note = PlainLabel("", "dim")
        self.remove = QPushButton(self.tr("Remove"))
        self.remove.setProperty("danger", True)
        self.remove.setVisible(False)
        self.remove.clicked.connect(self.remove_chosen)
        self.open = TintedButton("eye", self.tr("Preview"))
        self.open.setVisible(False)
        self.open.clicked.connect(self.open_chosen)
        self.must_find = TintedButton("circle-check", self.tr("Must be found"))
        self.must_find.setToolTip(self.tr("Save this search as a golden question that must find this passage"))
        self.must_find.setVisible(False)
        self.must_find.clicked.connect(self._save_golden)
        self.golden = GoldenQuestions(tasks)
        self._golden_button = IconButton("gauge", self.tr("Golden questions"), " ", size=14)
        self._golden_button.setProperty("pill", True)
        self._golden_button.clicked.connect(self._show_golden)
        self.golden.counted.connect(self._count_golden)
        self._count_golden("")
        self._stack = QStackedWidget()
        for page in (self._empty(), self.list, self.passages):
            self._stack.addWidget(page)
        column = QVBoxLayout(self)
        column.setContentsMargins(28, 20, 28, 16)
        column.setSpacing(12)
        column.addLayout(self._head())
        column.addWidget(IngestStrip(ingestion))
        column.addLayout(self._tools())
        self._stack.setMinimumWidth(LEAST_PX)
        self.preview = self._make_preview()
        column.addWidget(self.preview.split, 1)
        column.addWidget(self._note)
        self._are_read = False
        ingestion.finished.connect(lambda _: self.refresh())
        ingestion.followed.connect(self.refresh)
        ingestion.cancelled.connect(self.refresh)
        ingestion.progressed.connect(self._follow)

    def attach(self, backend: Backend) -> None:
        """From now on documents can be shown."""
        self._backend = backend
        self.preview.attach(backend)
        self.golden.attach(backend.golden)
        self.refresh()

    def step_back(self) -> bool:
        """Closes the document that is open; False where none is."""
        return self.preview.close()

    def changeEvent(self, event: QEvent) -> None:
        """Shows an open document in the new colours."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self.preview.restyle()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Leaves out the columns that matter least where there is no room."""
        super().resizeEvent(event)
        self._fit_columns()

    def _fit_columns(self) -> None:
        room = self.width() // 2 if self.preview.panel is not None else self.width()
        for column in (COLLECTION, ADDED):
            self.list.setColumnHidden(column, room < NARROW_PX)
        self.list.setColumnHidden(PASSAGES, room < NARROWEST_PX)

    def _follow(self, step: IngestProgress) -> None:
        """Shows the documents as soon as they are read: their words can be searched while the rest goes on."""
        is_read = step.files_done == step.files_total
        if is_read and not self._are_read:
            self.refresh()
        self._are_read = is_read

    def refresh(self) -> None:
        """Loads the list again."""
        if self._backend is not None:
            self._tasks.spawn("documents", self._load(self._backend))

    def add_files(self) -> None:
        """Asks for files and adds them to the collection shown."""
        self._tasks.spawn("choose", self._choose(folder=False))

    def add_folder(self) -> None:
        """Asks for a folder and adds what is in it to the collection shown."""
        self._tasks.spawn("choose", self._choose(folder=True))

    async def _choose(self, *, folder: bool) -> None:
        if folder:
            paths = await choose_folder(self, self.tr("Add a folder to your documents"))
        else:
            paths = await choose_documents(self, self.tr("Add files to your documents"))
        self._ingestion.add(paths, self.collection() or "")

    def collection(self) -> str | None:
        """Returns the collection shown, None for all."""
        return self._shown

    def _offer(self, names: Sequence[str]) -> None:
        """Offers all collections and each by its name. A combo box would hide its own name on Linux."""
        menu = self.collections.choices
        menu.clear()
        for name in (None, *names):
            action = menu.addAction((name or self.tr("All collections")).replace("&", "&&"))
            action.setCheckable(True)
            action.setChecked(name == self._shown)
            action.triggered.connect(lambda _=False, name=name: self.show_collection(name))
        shown = self._shown or self.tr("All collections")
        self.collections.setText(f"{first_words(shown, 30).replace('&', '&&')} ")
        self.collections.setAccessibleDescription(shown)

    def show_collection(self, name: str | None) -> None:
        """Shows the documents of one collection, or of all."""
        self._shown = name
        self.refresh()

    async def _load(self, backend: Backend) -> None:
        names = await backend.list_collections()
        self.folders.show_folders(backend, await backend.list_folders())
        if self._shown not in names:
            self._shown = None
        self._offer(names)
        records = await backend.list_documents(self.collection())
        self._model.set_records(records)
        passages = await backend.count_passages(self.collection())
        if self.search.text().strip():  # other documents may answer it now
            self._search()
        else:
            self._note.setText(_counted(records, passages) if records else "")
            self._choose_view()
        self.golden.refresh(self._shown or "")
        self.changed.emit()

    def _choose_view(self) -> None:
        if self.search.text().strip():
            self._stack.setCurrentWidget(self.passages)
        else:
            self._stack.setCurrentIndex(1 if self._model.rowCount() else 0)
        self._on_selection()

    # Searching

    def _search(self) -> None:
        query = self.search.text().strip()
        self._choose_view()
        if query and self._backend is not None:
            self._note.setText(self.tr("Searching…"))
            self._tasks.spawn("search documents", self._find(self._backend, query))
        else:
            self.refresh()

    async def _find(self, backend: Backend, query: str) -> None:
        collection = self.collection()
        report = await backend.search_documents(query, 20, () if collection is None else (collection,))
        self.passages.show_report(report)
        found = whole(len(report.results))
        self._note.setText(
            self.tr("Passages found: {0} (in {1})").format(found, milliseconds(report.ms))
            if report.results
            else self.tr("Nothing in your documents fits these words. Try other ones, or add the file that has them.")
        )
        if report.notice:
            self._note.setText(f"{self._note.text()}. {report.notice}")

    # Opening

    def open_chosen(self) -> None:
        """Opens the document selected in the list, or the passage selected among those found."""
        if self._stack.currentWidget() is self.passages:
            if (item := self.passages.currentItem()) is not None:
                place = self.passages.row(item) + 1
                self.preview.open_passage(item.data(RESULT_ROLE), place, self.passages.count())
        elif chosen := self.chosen():
            self.preview.open_document(chosen[0])

    def step(self, by: int) -> None:
        """Opens the passage so many on among those found; after the last one the first follows."""
        if self._stack.currentWidget() is self.passages and (count := self.passages.count()):
            at = self.passages.currentRow()
            self.passages.setCurrentRow((at + by) % count if at >= 0 else 0 if by > 0 else count - 1)
            self.open_chosen()

    def _show_golden(self) -> None:
        self.preview.show(self.golden.open())

    def _save_golden(self) -> None:
        item = self.passages.currentItem()
        if item is not None and (query := self.search.text().strip()):
            self._show_golden()
            self.golden.save(query, item.data(RESULT_ROLE))

    def _count_golden(self, count: str) -> None:
        self._golden_button.setText(" " + self.tr("Golden questions {0}").format(count).strip())

    def _make_preview(self) -> Preview:
        preview = Preview(self._stack, self._tasks)
        preview.opened.connect(self.preview_opened)
        preview.closed.connect(self.preview_closed)
        preview.closed.connect(self.golden.close)
        preview.step_wanted.connect(self.step)
        for signal in (preview.opened, preview.closed):
            signal.connect(self._fit_columns)
        self.list.activated.connect(lambda _: self.open_chosen())
        self.passages.itemActivated.connect(lambda _: self.open_chosen())
        self.passages.itemSelectionChanged.connect(self._on_selection)
        return preview

    # Removing

    def chosen(self) -> list[DocumentRecord]:
        """Returns the documents selected in the list."""
        if self._stack.currentWidget() is not self.list:
            return []
        return [self._model.record(index.row()) for index in self.list.selectionModel().selectedRows()]

    def remove_chosen(self) -> None:
        """Asks, and removes the selected documents."""
        if self._backend is not None and (records := self.chosen()):
            self._tasks.spawn("remove documents", self._remove(self._backend, records))

    async def _remove(self, backend: Backend, records: list[DocumentRecord]) -> None:
        names = "\n".join(record.name for record in records[:8]) + ("\n…" if len(records) > 8 else "")
        text = self.tr("Remove {0} from your documents?").format(
            records[0].name if len(records) == 1 else self.tr("{0} documents").format(len(records))
        )
        detail = self.tr("Answers will no longer use them. The files themselves are not touched.")
        if len(records) > 1:
            detail = f"{names}\n\n{detail}"
        if await confirm(self, self.tr("Remove documents"), text, detail, self.tr("Remove")):
            await backend.remove_documents([record.id for record in records])
            await self._load(backend)

    def _on_selection(self) -> None:
        chosen = self.chosen()
        self.remove.setVisible(bool(chosen))
        of_passages = self._stack.currentWidget() is self.passages and bool(self.passages.selectedItems())
        self.open.setVisible(len(chosen) == 1 or of_passages)
        self.must_find.setVisible(of_passages)

    # Building

    def _head(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        folder = TintedButton("folder-plus", self.tr("Add folder"))
        folder.clicked.connect(self.add_folder)
        files = QPushButton(self.tr("Add files"))
        files.setProperty("primary", True)
        files.clicked.connect(self.add_files)
        row.addWidget(PlainLabel(self.tr("Documents"), "heading"), 1)
        row.addWidget(self.must_find)
        row.addWidget(self.open)
        row.addWidget(self.remove)
        row.addWidget(folder)
        row.addWidget(files)
        return row

    def _tools(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.search, 1)
        row.addWidget(self.folders)
        row.addWidget(self._golden_button)
        row.addWidget(self.collections)
        return row

    def _make_search(self) -> QLineEdit:
        line = SearchLine(self.tr("Search documents"), self.tr("Search documents by words or meaning"))
        pause = QTimer(line)
        pause.setSingleShot(True)
        pause.setInterval(SEARCH_DELAY_MS)
        pause.timeout.connect(self._search)
        line.textChanged.connect(lambda _: pause.start())
        line.returnPressed.connect(self._search)
        return line

    def _make_list(self) -> QTreeView:
        view = QTreeView()
        view.setAccessibleName(self.tr("Documents list"))
        view.setModel(self._model)
        view.setRootIsDecorated(False)
        view.setUniformRowHeights(True)
        view.setSelectionMode(QTreeView.SelectionMode.ExtendedSelection)
        view.setIndentation(0)
        head = view.header()
        head.setStretchLastSection(False)
        head.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        head.setSectionResizeMode(STATE, QHeaderView.ResizeMode.Stretch)
        for section, width in ((PASSAGES, 90), (PAGES, 70), (COLLECTION, 120), (ADDED, 110)):
            view.setColumnWidth(section, width)
        view.selectionModel().selectionChanged.connect(lambda *_: self._on_selection())
        delete = QAction(self.tr("Remove"), view)
        delete.setShortcut(QKeySequence(QKeySequence.StandardKey.Delete))
        delete.triggered.connect(self.remove_chosen)
        view.addAction(delete)
        return view

    def _empty(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setSpacing(8)
        column.addStretch(1)
        for widget in (
            IconLabel("file-plus", 40, "accent"),
            PlainLabel(self.tr("No documents yet"), "heading"),
            PlainLabel(self.tr("Drop PDF, Office, e-book, e-mail, web or text files here, or a whole folder."), "dim"),
            PlainLabel(self.tr("They are read on this computer, and answers say which page they come from."), "dim"),
        ):
            row = QHBoxLayout()
            row.addStretch()
            row.addWidget(widget)
            row.addStretch()
            column.addLayout(row)
        column.addStretch(2)
        return page


def _counted(records: Sequence[DocumentRecord], passages: int) -> str:
    """How many documents and passages there are, as the status line counts them, and where they stand in more places
    than that."""
    documents = tr("1 document") if len(records) == 1 else tr("{0} documents").format(whole(len(records)))
    found = tr("1 passage") if passages == 1 else tr("{0} passages").format(whole(passages))
    places = sum(record.chunks for record in records)
    said = f"{documents}, {found}"
    return (
        said if places <= passages else tr("{0} in {1} places: the same text counts once").format(said, whole(places))
    )
