"""One turn as it is kept: the person's message first, the answer journaled while it streams, settled at its end.

A turn without a conversation is kept nowhere. A journal that cannot be written is said once and stops nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import replace
from itertools import pairwise
from typing import Final

from vpa_desktop.assistant.prompt import title_from
from vpa_desktop.errors import StorageError, UsageError, VPAError
from vpa_desktop.messages import EnhancedLLMRequest, EnhancedLLMResponse, ImageData, TurnStarted
from vpa_desktop.providers.pictures import for_keeping
from vpa_desktop.records import MessageRecord, MessageState
from vpa_desktop.storage.conversations import ConversationStore

log = logging.getLogger(__name__)

JOURNAL_EVERY_S: Final = 0.25
JOURNAL_EVERY_PIECES: Final = 64

PICTURES_MOST: Final = 10
PICTURES_BYTES: Final = 8_000_000
"""Of earlier turns, in one request: each is paid for again."""


class Turn:
    """The stored side of one turn. Made by ``begin``; ended by exactly one of ``done`` and ``broken``."""

    def __init__(self, store: ConversationStore | None, question: str, pictures: tuple[ImageData, ...] = ()) -> None:
        self.question = question
        self.pictures = pictures
        self.history: list[MessageRecord] = []
        self.answer: MessageRecord | None = None
        self.started = TurnStarted(None, None, None)
        self.warnings: list[str] = []
        self._store = store
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._unwritten = 0
        self._wake = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None

    @classmethod
    async def begin(cls, store: ConversationStore | None, request: EnhancedLLMRequest) -> Turn:
        """Store the question, before anything is sent; raises StorageError, UsageError for an unknown id.

        Cancelled in the middle of it, the question is stored all the same, with an answer that was stopped.
        """
        if store is None or request.temporary or (request.conversation_id is None and request.regenerates is None):
            return cls(None, request.user_query, request.images)
        storing = asyncio.ensure_future(cls._stored(store, request))
        try:
            return await asyncio.shield(storing)
        except asyncio.CancelledError:
            await asyncio.shield(_stopped(storing))
            raise

    @classmethod
    async def _stored(cls, store: ConversationStore, request: EnhancedLLMRequest) -> Turn:
        if request.regenerates is not None:
            return await cls._again(store, request.regenerates, request.images)
        kept = await for_keeping(request.images)
        conversation_id = request.conversation_id or "new"
        if conversation_id == "new":
            conversation_id = (await store.create(title_from(request.user_query))).id
        elif await store.get(conversation_id) is None:
            raise _unknown("conversation", conversation_id)
        # Sent as it is kept: a provider's cache knows it again in the next turn.
        turn = cls(store, request.user_query, kept if len(kept) == len(request.images) else request.images)
        turn.history = await store.messages(conversation_id)
        asked, turn.answer = await store.begin_turn(conversation_id, request.user_query, kept)
        turn.started = TurnStarted(conversation_id, asked.id, turn.answer.id)
        turn._start_journal()
        return turn

    @classmethod
    async def _again(cls, store: ConversationStore, message_id: str, given: tuple[ImageData, ...]) -> Turn:
        old = await store.message(message_id)
        if old is None:
            raise _unknown("answer", message_id)
        before: list[MessageRecord] = []
        for record in await store.messages(old.conversation_id):
            if record.id == old.id:
                break
            before.append(record)
        questions = [r for r in before if r.role == "user"]
        asked = questions[-1] if questions else None
        pictures = await store.pictures(asked.id) if asked is not None and asked.pictures else given
        turn = cls(store, asked.content if asked is not None else "", pictures)
        turn.history = before[: before.index(asked)] if asked is not None else before
        turn.answer = await store.begin_answer(old.id)
        turn.started = TurnStarted(old.conversation_id, asked.id if asked is not None else None, turn.answer.id)
        turn._start_journal()
        return turn

    async def earlier_pictures(self) -> dict[str, tuple[ImageData, ...]]:
        """Return the last pictures of the turns before, by their message, up to what one request should hold."""
        found: dict[str, tuple[ImageData, ...]] = {}
        left_bytes, left = PICTURES_BYTES, PICTURES_MOST
        for record in reversed(self.history):
            if self._store is None or not record.pictures:
                continue
            pictures = await self._store.pictures(record.id)
            left_bytes -= sum(len(picture.data) for picture in pictures)
            left -= len(pictures)
            if left < 0 or left_bytes < 0:
                break
            found[record.id] = pictures
        return found

    def saw_pictures(self) -> frozenset[str]:
        """Return who has answered a question with pictures in this conversation."""
        pairs = pairwise(self.history)
        return frozenset(answer.provider for asked, answer in pairs if asked.pictures and answer.state == "done")

    def add_text(self, text: str) -> None:
        """Note a piece of the answer; it is written within a quarter of a second or 64 pieces."""
        self._text.append(text)
        self._noted()

    def add_reasoning(self, text: str) -> None:
        """Note a piece of the reasoning."""
        self._reasoning.append(text)
        self._noted()

    def restart(self) -> None:
        """Forget the text so far: the answer begins anew."""
        self._text.clear()
        self._reasoning.clear()
        self._noted()

    @property
    def text(self) -> str:
        """The answer so far."""
        return "".join(self._text)

    def _noted(self) -> None:
        self._unwritten += 1
        self._wake.set()

    def _start_journal(self) -> None:
        self._writer = asyncio.get_running_loop().create_task(self._write_journal(), name="journal")

    async def _write_journal(self) -> None:
        while True:
            await self._wake.wait()
            waited = 0.0
            while waited < JOURNAL_EVERY_S and self._unwritten < JOURNAL_EVERY_PIECES:
                await asyncio.sleep(JOURNAL_EVERY_S / 10)
                waited += JOURNAL_EVERY_S / 10
            self._wake.clear()
            self._unwritten = 0
            if self._store is not None and self.answer is not None:
                try:
                    await self._store.journal(self.answer.id, self.text, "".join(self._reasoning))
                except StorageError as exc:
                    self.warnings.append(f"The answer could not be stored while it came: {exc}")
                    return

    async def _stop_journal(self) -> None:
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)
            self._writer = None

    async def done(self, response: EnhancedLLMResponse) -> EnhancedLLMResponse:
        """Settle the whole answer; a disk that refuses is a warning on the answer, which is not lost to the reader."""
        await self._stop_journal()
        named = replace(response, conversation_id=self.started.conversation_id, message_id=self.started.message_id)
        if self._store is not None and self.answer is not None:
            state: MessageState = "done"
            record = replace(
                self.answer,
                content=named.content,
                state=state,
                provider=named.provider,
                model=named.model,
                finish_reason=named.finish_reason,
                usage=named.usage,
                cost_usd=named.cost_usd,
                ttft_ms=named.ttft_ms,
                latency_ms=named.latency_ms,
                citations=named.citations,
                attempts=named.attempts,
                first_choice=named.first_choice,
                first_choice_usd=named.first_choice_usd,
                saved_usd=named.saved_usd,
                warnings=named.warnings,
                evidence=named.evidence,
                reasoning=named.reasoning,
            )
            try:
                await self._store.settle(record)
            except StorageError as exc:
                self.warnings.append(f"The answer could not be stored. {exc}")
        return replace(named, warnings=(*named.warnings, *self.warnings))

    async def broken(self, state: MessageState, error: str = "", **facts: object) -> None:
        """Settle what there is of an answer that was stopped or failed."""
        await self._stop_journal()
        if self._store is None or self.answer is None:
            return
        record = replace(
            self.answer,
            content=self.text,
            reasoning="".join(self._reasoning),
            state=state,
            error=error,
            **facts,  # type: ignore[arg-type]
        )
        try:
            await self._store.settle(record)
        except StorageError as exc:
            # The reader must hear why the answer broke, not that this could not be stored as well.
            log.error("A broken answer could not be stored: %s", exc)


async def _stopped(storing: asyncio.Future[Turn]) -> None:
    with contextlib.suppress(VPAError):  # then nothing was stored, and who would be told has gone
        await (await storing).broken("stopped")


def _unknown(noun: str, wanted: str) -> UsageError:
    return UsageError(
        f"There is no {noun} {wanted}", "It was deleted, or the id is mistyped", "vpa-desktop chats list shows them all"
    )
