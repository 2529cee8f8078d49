"""A backend in memory for the window's tests: it keeps what it is told, and streams what a test scripts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

from tests.ui.fake_drill import FakeDrills, FakeHealth
from tests.ui.fake_keys import FakeKeyDesk
from vpa_desktop.analytics import Dashboard, DayCost, ProviderFigures, Savings
from vpa_desktop.assistant.archive_desk import Imported
from vpa_desktop.assistant.provider_order import asked_in_order
from vpa_desktop.assistant.provider_setup import with_options
from vpa_desktop.catalog import KINDS, LLMProviderConfig, ModelInfo
from vpa_desktop.config import Settings
from vpa_desktop.embedding import EmbeddingOffer, EmbeddingQuote
from vpa_desktop.errors import KnowledgeError, VPAError
from vpa_desktop.evidence import AnswerFigures, AnswerTrend, Feedback
from vpa_desktop.golden import GoldenQuestion, GoldenRank, GoldenRun
from vpa_desktop.messages import (
    Attempt,
    Citation,
    ContextFound,
    EnhancedLLMRequest,
    EnhancedLLMResponse,
    ImageData,
    RouteStarted,
    TextDelta,
    TurnDone,
    TurnEvent,
    TurnStarted,
    Usage,
)
from vpa_desktop.page_views import DocumentView, Mark, PageView, Place, TextView
from vpa_desktop.prices import is_free
from vpa_desktop.records import (
    ConversationRecord,
    DocumentRecord,
    FollowedFolder,
    IngestFailure,
    IngestProgress,
    IngestReport,
    MessageRecord,
    ModelList,
    ProviderDraft,
    ProviderStatus,
    ProviderVerdict,
    RouteChoice,
    SearchReport,
    SearchResult,
    SearchWhy,
    SystemStatus,
)
from vpa_desktop.settings_file import provider_table


class FakeKeptAnswers:
    """A cache of which only the number is known."""

    number = 1_234

    async def count(self) -> int:
        return self.number

    async def forget(self) -> int:
        forgotten, self.number = self.number, 0
        return forgotten


class FakeEmbedding:
    """Two models: the one that came along, and one at OpenAI. ``chosen`` is what was agreed to."""

    def __init__(self) -> None:
        self.chosen: list[str] = []
        self.asked: list[str] = []
        self.fails: VPAError | None = None
        self.current = "default"
        self.on_chosen: Callable[[str, str], None] = lambda choice, host: None

    async def offers(self) -> list[EmbeddingOffer]:
        names = (
            ("default", "all-MiniLM-L6-v2 (comes with the program)", "", ""),
            ("openai_main/text-embedding-3-small", "text-embedding-3-small (openai_main)", "api.openai.com", ""),
            ("azure/embed", "embed (azure)", "mine.openai.azure.com", "There is no key for azure that can be read."),
        )
        return [EmbeddingOffer(*each, is_current=each[0] == self.current) for each in names]

    async def quote(self, choice: str) -> EmbeddingQuote:
        self.asked.append(choice)
        if choice.startswith("openai_main/"):
            model, price = choice.partition("/")[2], Decimal("0.02")
            tokens, kept = 256_800, 96
            return EmbeddingQuote(
                choice, model, "api.openai.com", "openai_main", 1_284, tokens, kept, price, Decimal("0.0051"), 1536
            )
        if choice == "nobody/model":
            raise KnowledgeError("There is no provider nobody", "It was removed", "Choose another")
        zero = Decimal(0)
        return EmbeddingQuote(choice, choice, passages=1_284, price_per_million=zero, cost_usd=zero)

    async def choose(self, choice: str, *, agreed: bool = False) -> EmbeddingQuote:
        quote = await self.quote(choice)
        if self.fails is not None:
            raise self.fails
        assert agreed or not quote.needs_consent
        self.chosen.append(choice)
        self.current = choice
        self.on_chosen(choice, quote.host)
        return quote


class FakeArchive:
    """Notes what was exported, and where."""

    def __init__(self) -> None:
        self.taken_in: list[Path] = []
        self.imported = Imported(3, 2, 9, 4, (), "ChatGPT", 1)
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.exported: list[tuple[tuple[str, ...], Path, bool]] = []
        self.fails: VPAError | None = None

    async def export(self, ids: Sequence[str], path: Path, *, overwrite: bool = False) -> int:
        if self.fails is not None:
            raise self.fails
        self.exported.append((tuple(ids), path, overwrite))
        return len(ids)

    async def take_in(self, path: Path, tell: Callable[[int, int], None] | None = None) -> Imported:
        if self.fails is not None:
            raise self.fails
        self.taken_in.append(path)
        if tell is not None:
            tell(1, self.imported.conversations)
        await self.may_go_on.wait()
        return self.imported


class FakeViewer:
    """Documents of five pages, each a grey picture with one mark on the page of the place; ``places`` were opened."""

    def __init__(self) -> None:
        self.places: list[tuple[Place, int | None]] = []
        self.text: TextView | None = None
        self.fails: VPAError | None = None

    async def show(self, place: Place, number: int | None = None, width_px: int = 1_000) -> DocumentView:
        self.places.append((place, number))
        if self.fails is not None:
            raise self.fails
        if self.text is not None:
            return replace(self.text, number=number or self.text.number)
        at = number or place.page or 1
        marks = (Mark(0.1, 0.6, 0.8, 0.02),) if place.passage and at == (place.page or 1) else ()
        high = round(width_px * 1.4)
        pixels = bytes((250, 250, 250, 255)) * (width_px * high)
        return PageView("contract.pdf", at, 5, width_px, high, width_px * 4, pixels, marks, f"Text of page {at}.")


class FakeGolden:
    """Golden questions of which each finds its document, until ``lost`` names it."""

    def __init__(self) -> None:
        self.saved: list[GoldenQuestion] = []
        self.kept: list[GoldenRun] = []
        self.lost: set[str] = set()

    async def questions(self, collection: str | None = None) -> list[GoldenQuestion]:
        return [q for q in self.saved if collection is None or q.collection == collection]

    async def runs(self, collection: str = "") -> list[GoldenRun]:
        return [run for run in self.kept if run.collection == collection]

    async def run(self, collection: str | None = None) -> list[GoldenRun]:
        asked = await self.questions(collection)
        ranks = tuple(GoldenRank(q.id, None if q.question in self.lost else 1) for q in asked)
        found = sum(1 for rank in ranks if rank.rank is not None)
        self.kept.append(GoldenRun(collection or "", datetime.now(UTC), len(asked), found, 1.0, ranks))
        return self.kept[-1:]

    async def add(self, question: str, document: str, page: int | None = None, collection: str = "") -> GoldenQuestion:
        made = GoldenQuestion(
            f"g{len(self.saved)}", collection, question, document, "contract.pdf", page, datetime.now(UTC)
        )
        self.saved.append(made)
        return made

    async def remove(self, question_ids: Sequence[str]) -> int:
        before = len(self.saved)
        self.saved = [q for q in self.saved if q.id not in question_ids]
        return before - len(self.saved)


class FakeBackend:
    """Implements ui.ports.Backend. ``reply`` and ``fails`` script the next turn, ``pause_s`` its pace.

    ``refuses`` is raised before anything is sent, but not for the local model nor for what may pass a limit.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings or Settings().with_local_model()
        self.said_too: dict[str, Any] = {}
        self.archive = FakeArchive()
        self.drills = FakeDrills()
        self.health = FakeHealth()
        self.viewer = FakeViewer()
        self.golden = FakeGolden()
        self.embedding = FakeEmbedding()
        self.embedding.on_chosen = self._embedding_chosen
        self.feedback: dict[str, Feedback] = {}
        self.pictures_stored: dict[str, tuple[ImageData, ...]] = {}
        self._numbers = count(1)
        self.reply = "Hello **there**. This is the answer."
        self.fails: VPAError | None = None
        self.refuses: VPAError | None = None
        self.fails_to_save: VPAError | None = None
        self.pause_s = 0.0
        self.citations: tuple[Citation, ...] = ()
        self.requests: list[EnhancedLLMRequest] = []
        self.conversations: dict[str, ConversationRecord] = {}
        self.stored: dict[str, list[MessageRecord]] = {}
        self.documents: dict[str, DocumentRecord] = {}
        self.found_times = 1
        self.twice = 0
        self.searched: list[tuple[str, tuple[str, ...]]] = []
        self.document_listeners: list[Callable[[IngestProgress | IngestReport], None]] = []
        self.pauses: list[bool] = []
        self.folders: list[FollowedFolder] = []
        self.bad_files: dict[str, str] = {}
        self.keys: dict[str, str] = {}
        self.forbidden: dict[str, str] = {}
        self.saved: dict[str, Any] = {}
        self.verdict = ProviderVerdict("", True, "It answered in 0.4 s.", 400.0, ("gpt-6-luna",))
        self.key_desk = FakeKeyDesk(self.keys, lambda: self.verdict)
        self.tested: list[ProviderDraft] = []
        self.model_lists: dict[str, ModelList] = {}
        self.asked_models: list[str] = []
        self.asked: list[bool] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.drafts: list[ProviderDraft] = []
        self.orders: list[list[str]] = []
        self.closed = False
        self.turns_closed = 0
        self.board = Dashboard((), (), Decimal(), Decimal(), None, None, None, 0, 0)
        self.report_status = SystemStatus("Local model", "system keyring", 0, Decimal(), None, False)
        self.kept_answers = FakeKeptAnswers()

    @property
    def settings(self) -> Settings:
        return self._settings

    def add_conversation(self, title: str, *messages: tuple[str, str], days_ago: float = 0) -> str:
        """Puts a stored conversation into the backend and returns its id."""
        conversation_id = f"c{next(self._numbers)}"
        at = datetime.now(UTC) - timedelta(days=days_ago)
        self.conversations[conversation_id] = ConversationRecord(conversation_id, title, at, at, len(messages))
        self.stored[conversation_id] = [
            MessageRecord(
                f"m{next(self._numbers)}", conversation_id, "user" if role == "user" else "assistant", text, at
            )
            for role, text in messages
        ]
        return conversation_id

    async def stream_turn(self, request: EnhancedLLMRequest) -> AsyncGenerator[TurnEvent, None]:
        self.requests.append(request)
        try:
            async for event in self._turn(request):
                yield event
        finally:
            self.turns_closed += 1

    async def _turn(self, request: EnhancedLLMRequest) -> AsyncGenerator[TurnEvent, None]:
        conversation_id = request.conversation_id or "new"
        if conversation_id == "new":
            conversation_id = self.add_conversation("")
        answer_id, said_id = f"m{next(self._numbers)}", f"m{next(self._numbers)}"
        at = datetime.now(UTC)
        kept = self.stored[conversation_id]
        if request.regenerates:
            self.stored[conversation_id] = kept = [m for m in kept if m.id != request.regenerates]
        else:
            kept.append(MessageRecord(said_id, conversation_id, "user", request.user_query, at))
        yield TurnStarted(conversation_id, said_id, answer_id)
        if self.refuses is not None and not request.over_limit and request.provider != "local":
            raise self.refuses
        yield ContextFound(self.citations, 3.0)
        yield RouteStarted("local", "smollm2-135m-instruct")
        said = ""
        for word in self.reply.split(" "):
            await asyncio.sleep(self.pause_s)
            part = word if not said else f" {word}"
            said += part
            yield TextDelta(part)
        if self.fails is not None:
            raise self.fails
        usage = Usage(input_tokens=40, output_tokens=len(said) // 4)
        kept.append(MessageRecord(answer_id, conversation_id, "assistant", said, at, usage=usage))
        yield TurnDone(
            EnhancedLLMResponse(
                content=said,
                provider="local",
                model="smollm2-135m-instruct",
                finish_reason="stop",
                usage=usage,
                cost_usd=Decimal("0.0031"),
                ttft_ms=120.0,
                latency_ms=2400.0,
                conversation_id=conversation_id,
                message_id=answer_id,
                citations=self.citations,
                attempts=(Attempt("local", "smollm2-135m-instruct", "ok", "", 2400.0),),
                **self.said_too,
            )
        )

    async def list_conversations(self, words: str = "") -> list[ConversationRecord]:
        def has(record: ConversationRecord) -> bool:
            texts = [record.title, *(m.content for m in self.stored[record.id])]
            return any(words.lower() in text.lower() for text in texts)

        return sorted(filter(has, self.conversations.values()), key=lambda r: r.updated_at, reverse=True)

    async def messages(self, conversation_id: str) -> list[MessageRecord]:
        return list(self.stored[conversation_id])

    async def pictures(self, message_id: str) -> tuple[ImageData, ...]:
        return self.pictures_stored.get(message_id, ())

    async def rename_conversation(self, conversation_id: str, title: str) -> None:
        self.conversations[conversation_id] = replace(self.conversations[conversation_id], title=title)

    async def delete_conversation(self, conversation_id: str) -> None:
        del self.conversations[conversation_id]

    async def give_feedback(self, message_id: str, feedback: Feedback) -> None:
        self.feedback[message_id] = feedback

    async def route_choices(self) -> list[RouteChoice]:
        choices = [RouteChoice("", "", "Choose for me", False, True)]
        for provider_id, config in self._settings.providers.items():
            said = self.forbidden.get(provider_id, "")
            ready = not said and (config.is_local or provider_id in self.keys)
            label, note = f"{config.model} · {provider_id}", said or ("" if ready else "no key yet")
            listed = self.model_lists.get(provider_id, ModelList(provider_id, ())).models
            own = next((m for m in listed if m.id == config.model), None)
            free = is_free(config)
            choices.append(
                RouteChoice(provider_id, str(config.model), label, config.is_local, ready, note, own, is_free=free)
            )
            choices += [
                RouteChoice(provider_id, m.id, f"{m.id} · {provider_id}", config.is_local, ready, "", m, False, free)
                for m in listed
                if m is not own
            ]
        return choices

    async def models(self, provider_id: str, refresh: bool = False) -> ModelList:
        self.asked_models.append(provider_id)
        if provider_id in self.model_lists:
            return self.model_lists[provider_id]
        return ModelList(provider_id, (ModelInfo(str(self._settings.providers[provider_id].model)),))

    @property
    def provider_kinds(self) -> tuple[str, ...]:
        return tuple(KINDS)

    async def list_providers(self) -> list[ProviderStatus]:
        order = asked_in_order(self._settings.providers, self._settings.routing)
        return [self._status(provider_id, self._settings.providers[provider_id]) for provider_id in order]

    async def set_provider_order(self, provider_ids: Sequence[str]) -> list[str]:
        if self.fails_to_save is not None:
            raise self.fails_to_save
        self.orders.append(list(provider_ids))
        routing = replace(self._settings.routing, failover_chain=tuple(provider_ids), default_provider=provider_ids[0])
        self._settings = replace(self._settings, routing=routing)
        return list(provider_ids)

    def _status(self, provider_id: str, config: LLMProviderConfig) -> ProviderStatus:
        kind = KINDS[config.kind]
        return ProviderStatus(
            id=provider_id,
            kind=config.kind,
            kind_label=kind.label,
            model=str(config.model),
            endpoint=config.endpoint,
            enabled=config.enabled,
            is_local=config.is_local,
            is_default=self._settings.routing.default_provider == provider_id,
            needs_key=kind.needs_key,
            key_source="vault" if provider_id in self.keys else "",
            weight=config.weight,
            note=self.forbidden.get(provider_id, "Demonstration model" if provider_id == "local" else ""),
            forbidden=self.forbidden.get(provider_id, ""),
            keys=self.key_desk.count(provider_id),
            keys_refused=self.key_desk.count(provider_id, "refused"),
            options={k: v for k, v in provider_table(config).items() if k not in ("kind", "model", "api_endpoint")},
            facts=next((m for m in self.verdict.model_facts if m.id == config.model), None),
        )

    async def save_provider(self, draft: ProviderDraft) -> None:
        if self.fails_to_save is not None:
            raise self.fails_to_save
        if draft.key:
            self.keys[draft.id] = draft.key
        config = LLMProviderConfig(
            draft.kind, draft.model, provider_id=draft.id, api_endpoint=draft.endpoint or None, enabled=draft.enabled,
            weight=draft.weight,
        )  # fmt: skip
        config = with_options(config, draft.options)
        self.drafts.append(draft)
        routing = self._settings.routing
        if draft.make_default:
            routing = replace(routing, default_provider=draft.id)
        providers = {**self._settings.providers, draft.id: config}
        self._settings = replace(self._settings, providers=providers, routing=routing)

    async def remove_provider(self, provider_id: str) -> None:
        providers = {name: config for name, config in self._settings.providers.items() if name != provider_id}
        self._settings = replace(self._settings, providers=providers)
        self.keys.pop(provider_id, None)

    async def test_provider(self, draft: ProviderDraft, *, ask: bool = True) -> ProviderVerdict:
        self.tested.append(draft)
        self.asked.append(ask)
        await self.may_answer.wait()
        return replace(self.verdict, provider=draft.id)

    async def add_documents(
        self, paths: Sequence[Path], collection: str = ""
    ) -> AsyncGenerator[IngestProgress | IngestReport, None]:
        failed: list[IngestFailure] = []
        for n, path in enumerate(paths):
            await asyncio.sleep(self.pause_s)
            yield IngestProgress(n, len(paths), str(path), 12 * n, 12 * len(paths), 0.6)
            if path.name in self.bad_files:
                failed.append(IngestFailure(str(path), self.bad_files[path.name]))
                self.add_document(path.name, collection, reason=self.bad_files[path.name])
            else:
                self.add_document(path.name, collection)
        yield IngestReport(len(paths) - len(failed), 0, 0, tuple(failed), 12 * (len(paths) - len(failed)), 1.2)

    def hear_of_documents(self, tell: Callable[[IngestProgress | IngestReport], None]) -> None:
        self.document_listeners.append(tell)

    def pause_documents(self, paused: bool) -> None:
        self.pauses.append(paused)

    async def list_folders(self) -> list[FollowedFolder]:
        return list(self.folders)

    async def forget_folder(self, path: str) -> None:
        self.folders = [folder for folder in self.folders if folder.path != path]

    def add_document(self, name: str, collection: str = "", pages: int | None = 3, reason: str = "") -> str:
        """Puts a document into the backend and returns its id."""
        document_id = f"d{next(self._numbers)}"
        self.documents[document_id] = DocumentRecord(
            document_id, name, f"/home/me/{name}", collection, "hash", "failed" if reason else "ready",
            datetime.now(UTC), 20_480, pages, 0 if reason else 12, reason,
        )  # fmt: skip
        return document_id

    async def list_documents(self, collection: str | None = None) -> list[DocumentRecord]:
        return [d for d in self.documents.values() if collection is None or d.collection == collection]

    async def list_collections(self) -> list[str]:
        return sorted({d.collection for d in self.documents.values() if d.collection})

    async def count_passages(self, collection: str | None = None) -> int:
        found = await self.list_documents(collection)
        return sum(d.chunks for d in found) - self.twice

    async def remove_documents(self, document_ids: Sequence[str]) -> None:
        for document_id in document_ids:
            del self.documents[document_id]

    def _embedding_chosen(self, choice: str, host: str) -> None:
        rag = replace(self._settings.rag, embedding_model=choice, embedding_host=host)
        self._settings = replace(self._settings, rag=rag)

    async def search_documents(
        self, query: str, top_k: int | None = None, collections: Sequence[str] = ()
    ) -> SearchReport:
        self.searched.append((query, tuple(collections)))
        found = SearchResult(
            "d1", "contract.pdf", "/home/me/contract.pdf", "Supplier contract", 4, "7.3", 1, 0.91,
            f"The passage about {query}: the penalty is 0.5 % of the order value for each started week, "
            "at most 5 %.", SearchWhy(1, 2),
        )  # fmt: skip
        times = range(1, self.found_times + 1) if self.documents else ()
        several = tuple(replace(found, chunk_id=n) for n in times)
        return SearchReport(query, 4.2, several)

    async def dashboard(self) -> Dashboard:
        return self.board

    async def status(self) -> SystemStatus:
        return self.report_status

    async def save_settings(self, changes: Mapping[str, Any]) -> None:
        if self.fails_to_save is not None:
            raise self.fails_to_save
        self.saved.update(changes)
        for key, value in changes.items():
            section, name = key.split(".", 1)
            if section == "providers":
                provider_id, field = name.split(".")
                changed: dict[str, Any] = {field: value}
                config = replace(self._settings.providers[provider_id], **changed)
                self._settings = replace(self._settings, providers={**self._settings.providers, provider_id: config})
                continue
            part = replace(getattr(self._settings, section), **{name: value})
            self._settings = replace(self._settings, **{section: part})

    async def aclose(self) -> None:
        self.closed = True


def month_of_answers(today: date) -> AnswerTrend:
    """A month of answers from documents, none of them on each third day."""
    days = tuple(
        (
            today - timedelta(days=29 - n),
            AnswerFigures(n, n // 9, 0.6 + n / 100, 0.95 - (n % 5) / 20, 0.5 + (n % 4) / 10, n // 10, int(n % 13 == 0))
            if n % 3
            else AnswerFigures(),
        )
        for n in range(30)
    )
    return AnswerTrend(AnswerFigures(300, 31, 0.81, 0.86, 0.64, 27, 2), days)


def busy_month(today: date) -> Dashboard:
    """A dashboard with a month of figures."""
    days = tuple(
        DayCost(
            today - timedelta(days=29 - n), Decimal(n % 7) / 10 + Decimal(n % 3) / 20,
            (("openai_main", Decimal(n % 7) / 10), ("anthropic_main", Decimal(n % 3) / 20)),
        )
        for n in range(30)
    )  # fmt: skip
    figures = (
        ProviderFigures("anthropic_main", 120, 0.991, 1830.0, 4200.0, 610.0, Decimal("3.10"), 0),
        ProviderFigures("local", 44, 1.0, 900.0, 1500.0, 90.0, Decimal(), 44),
        ProviderFigures("openai_main", 310, 0.962, 1210.0, 3900.0, 380.0, Decimal("8.42"), 2, "half-open"),
    )
    return Dashboard(
        days, figures, Decimal("0.42"), Decimal("11.52"), Decimal(5), Decimal(50), Decimal("15.80"), 474, 46,
        savings=Savings(61, 340, Decimal("1.87"), 214_000.0, Decimal("0.94")), answers=month_of_answers(today),
    )  # fmt: skip
