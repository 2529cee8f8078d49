"""The coroutine beside the chat: sends a turn, follows its events, stops it, gives it anew. Draws nothing itself.

A conversation goes on answering when another one is shown. A second message in the same conversation stops the
answer before it, whose text is kept.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from vpa_desktop.errors import BudgetExceeded, VPAError
from vpa_desktop.ui.chat.attachments import images
from vpa_desktop.ui.tasks import TaskOwner, unexpected
from vpa_desktop.ui.wording import first_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vpa_desktop.messages import EnhancedLLMRequest, EnhancedLLMResponse, ImageData, TurnEvent, TurnStarted
    from vpa_desktop.records import ConversationRecord, MessageRecord, MessageState
    from vpa_desktop.ui.chat.attachments import Attachment
    from vpa_desktop.ui.chat.view import ChatView
    from vpa_desktop.ui.ports import Backend

_numbers = count(1)


@dataclass(eq=False)
class Chat:
    """One conversation as the window holds it: what was said, what is being written, what is being answered.

    ``sent`` came with the last message, ``composed`` where its turn began in the composer; ``unanswered`` is the
    refused answer whose question is back there.
    """

    id: str | None = None
    title: str = ""
    messages: list[MessageRecord] = field(default_factory=list)
    later: list[MessageRecord] = field(default_factory=list)
    live: MessageRecord | None = None
    busy: bool = False
    draft: str = ""
    drafted: list[Attachment] = field(default_factory=list)
    sent: list[Attachment] = field(default_factory=list)
    composed: bool = False
    unanswered: str = ""
    pictures: dict[str, tuple[ImageData, ...]] = field(default_factory=dict)
    named: bool = False
    parts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    task: str = field(default_factory=lambda: f"answer {next(_numbers)}")

    def live_now(self) -> MessageRecord | None:
        """Returns the answer with the text that has come so far."""
        if self.live is None:
            return None
        return replace(self.live, content="".join(self.parts), reasoning="".join(self.thoughts))

    def message(self, message_id: str) -> MessageRecord | None:
        """Returns a message of this conversation by its id."""
        return next((m for m in self.messages if m.id == message_id), None)

    def with_pictures(self, message: MessageRecord) -> MessageRecord:
        """Returns a stored message with the pictures it was sent with, where that was since the program's start."""
        names = tuple(picture.name for picture in self.pictures.get(message.id, ()))
        return replace(message, pictures=names) if names else message


class ChatPresenter(QObject):
    """Holds the conversations of the window and the turns that run in them."""

    listed_changed = Signal()
    shown_changed = Signal(str)
    turn_ended = Signal()
    limit_reached = Signal(str, object)

    def __init__(self, view: ChatView, tasks: TaskOwner) -> None:
        super().__init__(view)
        self._view = view
        self._tasks = tasks
        self._backend: Backend | None = None
        self._chats: dict[str, Chat] = {}
        self._blank = Chat()
        self.chat = self._blank
        view.composer.send_wanted.connect(self.send)
        view.composer.stop_wanted.connect(self.stop)
        view.transcript.regenerate_requested.connect(self.regenerate)

    def attach(self, backend: Backend) -> None:
        """From now on messages can be sent."""
        self._backend = backend
        self._view.composer.set_ready(True)

    # Which conversation is shown

    def start_new(self) -> None:
        """Shows an empty conversation; it is stored with its first message."""
        if self._blank.messages:
            self._blank = Chat()
        self._show(self._blank)
        self._view.composer.edit.setFocus()

    def open(self, conversation: ConversationRecord) -> None:
        """Shows a stored conversation."""
        if self._backend is None or conversation.id == self.chat.id:
            return
        known = self._chats.get(conversation.id)
        if known is not None and known.busy:
            self._tasks.cancel("open")
            self._show(known)
        else:
            self._tasks.spawn("open", self._load(self._backend, conversation))

    async def _load(self, backend: Backend, conversation: ConversationRecord) -> None:
        messages = await backend.messages(conversation.id)
        chat = self._chats.setdefault(conversation.id, Chat(conversation.id))
        chat.title = conversation.title
        if not chat.busy:
            chat.messages = [chat.with_pictures(message) for message in messages]
        self._show(chat)

    def forget(self, conversation_id: str) -> None:
        """Drops a deleted conversation, and shows an empty one where it was shown."""
        chat = self._chats.pop(conversation_id, None)
        if chat is not None and chat.busy:
            self._tasks.cancel(chat.task)
        if self.chat.id == conversation_id:
            self.start_new()

    def retitle(self, conversation_id: str, title: str) -> None:
        """Shows a new title."""
        if (chat := self._chats.get(conversation_id)) is not None:
            chat.title = title
        if self.chat.id == conversation_id:
            self._view.set_title(title)

    def _show(self, chat: Chat) -> None:
        composer = self._view.composer
        self.chat.draft, self.chat.drafted = composer.text(), composer.pictures.attachments
        self.chat = chat
        composer.set_text(chat.draft)
        composer.pictures.show_all(chat.drafted)
        composer.set_answering(chat.busy)
        self._view.show_conversation(chat.title, chat.messages, chat.live_now())
        self.shown_changed.emit(chat.id or "")

    # Turns

    def send(self, text: str, attached: Sequence[Attachment] = ()) -> None:
        """Sends a message in the shown conversation; an answer still coming there is stopped first."""
        if self._backend is None:
            return
        chat = self.chat
        if chat.busy:
            self._end(chat, "stopped")
        from vpa_desktop.records import MessageRecord

        pictures = images(attached)
        chat.sent, chat.composed = list(attached), True
        if self._is_unanswered(chat, text, pictures):
            self.answer_again(chat.unanswered)
            return
        names = tuple(picture.name for picture in pictures)
        said = MessageRecord(_local_id(), chat.id or "", "user", text, datetime.now(UTC), pictures=names)
        if pictures:
            chat.pictures[said.id] = pictures
        chat.messages.append(said)
        chat.title = chat.title or first_words(text)
        self._view.set_title(chat.title)
        self._view.append(said)
        self._turn(self._backend, chat, replace(self._request(text, pictures), conversation_id=chat.id or "new"))

    def stop(self) -> None:
        """Stops the answer in the shown conversation at once; what came of it is kept."""
        chat = self.chat
        if chat.busy:
            self._tasks.cancel(chat.task)
            self._end(chat, "stopped")

    def regenerate(self, message_id: str = "") -> None:
        """Gives an answer anew (the last one by default); the old one is kept aside by the store."""
        self.chat.composed = False
        self.answer_again(message_id)

    def take_back(self, answer_id: str) -> None:
        """Puts the question of a refused answer back into the composer, unless something else is written there."""
        chat, composer = self.chat, self._view.composer
        if not chat.composed or not chat.messages or chat.messages[-1].id != answer_id or composer.text().strip():
            return
        question = next((m for m in reversed(chat.messages) if m.role == "user"), None)
        if question is not None:
            chat.unanswered = answer_id
            composer.set_text(question.content)
            composer.pictures.show_all(chat.sent)

    def _is_unanswered(self, chat: Chat, text: str, pictures: tuple[ImageData, ...]) -> bool:
        """Whether this is the question that was taken back, unchanged: it is answered then, not asked a second time."""
        if not chat.unanswered or not chat.messages or chat.messages[-1].id != chat.unanswered:
            return False
        question = next((m for m in reversed(chat.messages) if m.role == "user"), None)
        return question is not None and question.content == text and chat.pictures.get(question.id, ()) == pictures

    def answer_again(self, message_id: str, **changes: Any) -> None:
        """Gives an answer anew, with changes to the request; its question leaves the composer if it was there."""
        chat = self.chat
        answers = [m for m in chat.messages if m.role == "assistant"]
        old = chat.message(message_id) if message_id else (answers[-1] if answers else None)
        if self._backend is None or chat.busy or old is None or old.role != "assistant":
            return
        at = chat.messages.index(old)
        question = next((m for m in reversed(chat.messages[:at]) if m.role == "user"), None)
        if question is None:
            return
        chat.later = chat.messages[at + 1 :]
        chat.messages = chat.messages[:at]
        stored = not old.id.startswith(_LOCAL)
        request = replace(
            self._request(question.content, chat.pictures.get(question.id, ())),
            conversation_id=chat.id or "new",
            regenerates=old.id if stored else None,
        )
        if chat.unanswered == old.id and self._view.composer.text().strip() == question.content:
            self._view.composer.set_text("")
            self._view.composer.pictures.show_all([])
        chat.unanswered = ""
        self._view.show_conversation(chat.title, chat.messages, None)
        self._turn(self._backend, chat, replace(request, **{"fresh": True, **changes}))

    def _request(self, text: str, pictures: tuple[ImageData, ...] = ()) -> EnhancedLLMRequest:
        from vpa_desktop.messages import EnhancedLLMRequest

        composer = self._view.composer
        choice = composer.picker.choice
        return EnhancedLLMRequest(
            user_query=text,
            use_rag=None if composer.documents.isChecked() else False,
            provider=choice.provider or None if choice else None,
            model=choice.model or None if choice and choice.provider else None,
            images=pictures,
        )

    def _turn(self, backend: Backend, chat: Chat, request: EnhancedLLMRequest) -> None:
        chat.busy = True
        chat.parts, chat.thoughts = [], []
        self._view.composer.set_answering(True)
        self._tasks.spawn(chat.task, self._follow(backend, chat, request))

    async def _follow(self, backend: Backend, chat: Chat, request: EnhancedLLMRequest) -> None:
        import asyncio

        mine = asyncio.current_task()
        chat.busy = True
        error, limit = str(unexpected()), None
        try:
            async with aclosing(backend.stream_turn(request)) as events:
                async for event in events:
                    self._take(chat, event)
        except asyncio.CancelledError:
            error = ""
            raise
        except VPAError as failure:
            error, limit = str(failure), failure if isinstance(failure, BudgetExceeded) else None
        finally:
            if chat.busy and mine is not None and not mine.cancelling():
                ended = self._end(chat, "failed", error)
                if limit is not None and chat is self.chat:
                    self.limit_reached.emit(ended.id, limit)
            self.turn_ended.emit()

    def _take(self, chat: Chat, event: TurnEvent) -> None:
        from vpa_desktop.messages import TurnDone, TurnStarted

        if isinstance(event, TurnStarted):
            self._begin(chat, event)
            return
        if isinstance(event, TurnDone):
            self._finish(chat, _from_response(chat, event.response))
            return
        self._update(chat, event)

    def _begin(self, chat: Chat, event: TurnStarted) -> None:
        from vpa_desktop.records import MessageRecord

        is_new = chat.id is None and event.conversation_id is not None
        chat.id = event.conversation_id or chat.id
        if chat.messages and chat.messages[-1].role == "user" and event.user_message_id:
            if pictures := chat.pictures.get(chat.messages[-1].id):  # the transcript goes on with the id it has
                chat.pictures[event.user_message_id] = pictures
            chat.messages[-1] = replace(chat.messages[-1], id=event.user_message_id)
        chat.live = MessageRecord(
            event.message_id or _local_id(), chat.id or "", "assistant", "", datetime.now(UTC), "streaming"
        )
        if chat.id is not None:
            self._chats[chat.id] = chat
        if chat is self.chat:
            self._view.begin_answer(chat.live)
        self.listed_changed.emit()
        if is_new and chat is self.chat:
            self.shown_changed.emit(chat.id or "")

    def _update(self, chat: Chat, event: TurnEvent) -> None:
        from vpa_desktop.messages import ContextFound, ReasoningDelta, RouteStarted, Seam, TextDelta

        live, shown = chat.live, self._view.transcript if chat is self.chat else None
        if live is None:
            return
        if isinstance(event, TextDelta):
            chat.parts.append(event.text)
            if shown:
                shown.feed(live.id, event.text)
        elif isinstance(event, ReasoningDelta):
            chat.thoughts.append(event.text)
            if shown:
                shown.feed_reasoning(live.id, event.text)
        elif isinstance(event, ContextFound):
            chat.live = replace(live, citations=event.citations, evidence=event.evidence)
            if shown:
                shown.set_citations(live.id, event.citations)
        elif isinstance(event, RouteStarted):
            chat.live = replace(live, provider=event.provider, model=event.model)
        elif isinstance(event, Seam):
            if event.restarts:
                chat.parts.clear()
                chat.thoughts.clear()
            if shown:
                shown.add_seam(live.id, event)

    def _end(self, chat: Chat, state: MessageState, error: str = "") -> MessageRecord:
        from vpa_desktop.records import MessageRecord

        live = chat.live_now()
        if live is None:
            live = MessageRecord(_local_id(), chat.id or "", "assistant", "", datetime.now(UTC))
            if chat is self.chat:
                self._view.begin_answer(live)
        ended = replace(live, state=state, error=error)
        self._finish(chat, ended)
        return ended

    def _finish(self, chat: Chat, answer: MessageRecord) -> None:
        chat.messages.append(answer)
        chat.messages += chat.later
        has_later, chat.later = bool(chat.later), []
        chat.live, chat.busy = None, False
        if chat is not self.chat:
            return
        self._view.finish_answer(answer)
        self._view.composer.set_answering(False)
        if has_later:
            self._view.show_conversation(chat.title, chat.messages, None)


_LOCAL = "local-"


def _local_id() -> str:
    """An id for a message that is not stored (yet)."""
    return f"{_LOCAL}{next(_numbers)}"


def _from_response(chat: Chat, response: EnhancedLLMResponse) -> MessageRecord:
    from vpa_desktop.records import MessageRecord

    live = chat.live
    began = live.created_at if live else datetime.now(UTC)
    return MessageRecord(
        id=live.id if live else response.message_id or _local_id(),
        conversation_id=chat.id or "",
        role="assistant",
        content=response.content,
        created_at=began,
        provider=response.provider,
        model=response.model,
        finish_reason=response.finish_reason,
        usage=response.usage,
        cost_usd=response.cost_usd,
        ttft_ms=response.ttft_ms,
        latency_ms=response.latency_ms,
        citations=response.citations,
        attempts=response.attempts,
        first_choice=response.first_choice,
        first_choice_usd=response.first_choice_usd,
        saved_usd=response.saved_usd,
        warnings=response.warnings,
        evidence=response.evidence,
        reasoning=response.reasoning,
    )


def sum_of(messages: Sequence[MessageRecord]) -> tuple[int, bool]:
    """Returns the tokens of a conversation and whether any of them are an estimate."""
    usages = [m.usage for m in messages if m.usage is not None]
    tokens = sum((u.input_tokens or 0) + (u.output_tokens or 0) for u in usages)
    return tokens, any(u.estimated for u in usages)
