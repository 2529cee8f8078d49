"""What the window needs from behind it, as one Protocol. Implemented by ``system.System``, handed over by ``app``.

Everything is asynchronous and safe to call from the window's loop: nothing here blocks it.
Every method raises only VPAError, whose text can be shown as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
    from pathlib import Path

    from vpa_desktop.analytics import Dashboard
    from vpa_desktop.assistant.archive_desk import Imported
    from vpa_desktop.config import Settings
    from vpa_desktop.drills import DrillEvent, DrillFault, DrillPlace
    from vpa_desktop.embedding import EmbeddingOffer, EmbeddingQuote
    from vpa_desktop.evidence import Feedback
    from vpa_desktop.golden import GoldenQuestion, GoldenRun
    from vpa_desktop.messages import EnhancedLLMRequest, ImageData, TurnEvent
    from vpa_desktop.page_views import DocumentView, Place
    from vpa_desktop.records import (
        ConversationRecord,
        DocumentRecord,
        FollowedFolder,
        IngestProgress,
        IngestReport,
        KeyInfo,
        MessageRecord,
        ModelList,
        ProviderDraft,
        ProviderHealthFigures,
        ProviderStatus,
        ProviderVerdict,
        RouteChoice,
        SearchReport,
        SystemStatus,
    )


class KeyBackend(Protocol):
    """What can be done with keys. ``label`` is the person's name for one of several, "default" or "" without one."""

    @property
    def is_locked(self) -> bool:
        """True where keys are in a file whose passphrase was not given yet."""
        ...

    async def unlock(self, passphrase: str) -> None: ...
    async def list_keys(self) -> list[KeyInfo]: ...
    async def set_key(self, provider_id: str, key: str, label: str = "") -> None: ...
    async def delete_key(self, provider_id: str, label: str | None = None) -> None: ...
    async def rotate_key(self, provider_id: str, key: str, label: str = "") -> ProviderVerdict:
        """Test a new key; a good one takes the place of the old one, which helps out for a while."""
        ...

    async def test_keys(self, provider_id: str, label: str | None = None) -> list[ProviderVerdict]: ...


class KeptAnswers(Protocol):
    """The answers that are given again without asking anybody. Both raise StorageError."""

    async def count(self) -> int: ...
    async def forget(self) -> int: ...


class Drills(Protocol):
    """The fire drill: the person's chain rehearsed, with no key and nothing spent."""

    async def chain(self) -> tuple[DrillPlace, ...]: ...
    def run(self, fault: DrillFault, provider_id: str = "", pause_s: float = 0.0) -> AsyncGenerator[DrillEvent, None]:
        """Steps, then one report; ``pause_s`` passes after each, for the eye."""
        ...


class Health(Protocol):
    """How each provider does."""

    async def figures(self) -> tuple[ProviderHealthFigures, ...]: ...


class Viewer(Protocol):
    """Documents as they are looked at. Raises KnowledgeError."""

    async def show(self, place: Place, number: int | None = None, width_px: int = 1_000) -> DocumentView:
        """The page or piece of text with the place, or page ``number``; a picture is drawn ``width_px`` wide."""
        ...


class Golden(Protocol):
    """Questions whose document must be found. ``collection`` is empty for all documents. Raises VPAError."""

    async def questions(self, collection: str | None = None) -> list[GoldenQuestion]: ...
    async def runs(self, collection: str = "") -> list[GoldenRun]: ...
    async def run(self, collection: str | None = None) -> list[GoldenRun]: ...
    async def add(
        self, question: str, document: str, page: int | None = None, collection: str = ""
    ) -> GoldenQuestion: ...
    async def remove(self, question_ids: Sequence[str]) -> int: ...


class EmbeddingBackend(Protocol):
    """What finds passages by meaning, and the choice of another model. Raises VPAError."""

    async def offers(self) -> list[EmbeddingOffer]: ...
    async def quote(self, choice: str) -> EmbeddingQuote: ...
    async def choose(self, choice: str, *, agreed: bool = False) -> EmbeddingQuote:
        """Use this model from now on; ``agreed`` says that the person has read the quote."""
        ...


class Archive(Protocol):
    """Conversations as files. Raises UsageError, StorageError."""

    async def export(self, ids: Sequence[str], path: Path, *, overwrite: bool = False) -> int:
        """Write conversations, all where no id is given, in the format of the file's ending: md, html or json."""
        ...

    async def take_in(self, path: Path, tell: Callable[[int, int], None] | None = None) -> Imported:
        """Add an export's conversations that are not here yet; ``tell`` hears how many of how many are done."""
        ...


class Backend(Protocol):
    """The Qt-free half of the program, as the window sees it."""

    @property
    def archive(self) -> Archive: ...

    @property
    def drills(self) -> Drills: ...

    @property
    def health(self) -> Health: ...

    @property
    def viewer(self) -> Viewer: ...

    @property
    def golden(self) -> Golden: ...

    @property
    def embedding(self) -> EmbeddingBackend: ...

    @property
    def settings(self) -> Settings: ...

    @property
    def provider_kinds(self) -> tuple[str, ...]: ...

    @property
    def kept_answers(self) -> KeptAnswers: ...

    def stream_turn(self, request: EnhancedLLMRequest) -> AsyncGenerator[TurnEvent, None]: ...

    async def list_conversations(self, words: str = "") -> list[ConversationRecord]: ...
    async def messages(self, conversation_id: str) -> list[MessageRecord]: ...
    async def pictures(self, message_id: str) -> tuple[ImageData, ...]:
        """The pictures that a message was sent with."""
        ...

    async def rename_conversation(self, conversation_id: str, title: str) -> None: ...
    async def delete_conversation(self, conversation_id: str) -> None: ...
    async def give_feedback(self, message_id: str, feedback: Feedback) -> None:
        """Note what the person says of an answer; empty takes it back."""
        ...

    async def route_choices(self) -> list[RouteChoice]: ...
    async def models(self, provider_id: str, refresh: bool = False) -> ModelList:
        """The models a provider offers; ``error`` says why the list is old or missing. Raises ConfigError."""
        ...

    async def list_providers(self) -> list[ProviderStatus]: ...
    async def save_provider(self, draft: ProviderDraft) -> None: ...
    async def remove_provider(self, provider_id: str) -> None: ...
    async def test_provider(self, draft: ProviderDraft, *, ask: bool = True) -> ProviderVerdict: ...
    async def set_provider_order(self, provider_ids: Sequence[str]) -> list[str]: ...

    @property
    def key_desk(self) -> KeyBackend: ...

    def add_documents(
        self, paths: Sequence[Path], collection: str = ""
    ) -> AsyncGenerator[IngestProgress | IngestReport, None]: ...
    def hear_of_documents(self, tell: Callable[[IngestProgress | IngestReport], None]) -> None:
        """Calls ``tell`` with the progress and the results of following folders, from now on."""
        ...

    def pause_documents(self, paused: bool) -> None: ...
    async def list_folders(self) -> list[FollowedFolder]: ...
    async def forget_folder(self, path: str) -> None:
        """Follows a folder no longer; its documents stay."""
        ...

    async def list_documents(self, collection: str | None = None) -> list[DocumentRecord]: ...
    async def list_collections(self) -> list[str]: ...
    async def count_passages(self, collection: str | None = None) -> int:
        """How many different passages there are; what several documents say in the same words counts once."""
        ...

    async def remove_documents(self, document_ids: Sequence[str]) -> None: ...
    async def search_documents(
        self, query: str, top_k: int | None = None, collections: Sequence[str] = ()
    ) -> SearchReport: ...

    async def dashboard(self) -> Dashboard: ...
    async def status(self) -> SystemStatus: ...
    async def save_settings(self, changes: Mapping[str, Any]) -> None:
        """Write settings by dotted key ("budget.daily_limit_usd"); None removes one. Raises ConfigError."""
        ...

    async def aclose(self) -> None: ...
