"""Several keys of one provider: each request goes with one that works, a refused one is passed over at once.

What is a key's own (401, 402, 403, no credit, too many requests) makes the next key answer, without a pause and
without counting as a retry. What is the service's goes out as from a provider with one key. Where keys live is not
known here; the pauses are ``cooldown``'s, one per key and model.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from typing import TypeVar

from vpa_desktop.catalog import LLMProviderConfig, ModelInfo
from vpa_desktop.embedding import EmbeddingRequest, Embeddings
from vpa_desktop.errors import ProviderError
from vpa_desktop.gateway.cooldown import FIRST_WAIT_S, Cooldowns, pause_id
from vpa_desktop.gateway.keystate import KeyState, from_kept, nobody_left, refusal_in_words, state_of, to_keep
from vpa_desktop.messages import LLMRequest, StreamEvent
from vpa_desktop.providers.base import BaseLLMProvider, PassedOver
from vpa_desktop.tokens import TokenCount

T = TypeVar("T")
Build = Callable[[LLMProviderConfig], BaseLLMProvider]


@dataclass(frozen=True, slots=True)
class PoolKey:
    """One key. ``id`` stays the same while it is replaced; ``label`` is what rows and receipts call it, never the key.

    One with ``retires_at`` is only asked when no other can be, and not at all from then on.
    """

    id: str
    secret: str = field(repr=False)
    label: str
    retires_at: datetime | None = None


@dataclass(slots=True, eq=False)
class _Seat:
    """A key at work: its provider object, and what is held against it (by model)."""

    key: PoolKey
    provider: BaseLLMProvider
    in_flight: int = 0
    turn: int = 0
    refusals: dict[str, ProviderError] = field(default_factory=dict)


class KeyPool(BaseLLMProvider):
    """A provider with several keys. ``build`` makes the provider object of one key, ``now`` returns the date."""

    def __init__(
        self,
        config: LLMProviderConfig,
        keys: Sequence[PoolKey],
        build: Build,
        *,
        cooldowns: Cooldowns | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(config.with_key(None))
        self._build = build
        self._cooldowns = cooldowns or Cooldowns()
        self._now = now
        self._turns = count(1)
        self._gone: list[BaseLLMProvider] = []
        self._seats: list[_Seat] = []
        self.use(keys)
        if self._seats:  # what a policy does not believe of a configuration counts for the pool too
            self.config = self._seats[0].provider.config.with_key(None)

    @property
    def keys(self) -> tuple[PoolKey, ...]:
        """The keys in their order."""
        return tuple(seat.key for seat in self._seats)

    def use(self, keys: Iterable[PoolKey]) -> None:
        """Take these keys from now on; answers under way keep the one they have."""
        old = {seat.key.id: seat for seat in self._seats}
        self._seats = [self._seated(key, old.pop(key.id, None)) for key in keys]
        for seat in old.values():
            self._leave(seat)

    def _seated(self, key: PoolKey, old: _Seat | None) -> _Seat:
        if old is not None and old.key.secret == key.secret:
            old.key = key
            return old
        if old is not None:
            self._leave(old)
        return _Seat(key, self._build(self.config.with_key(key.secret)))

    def _leave(self, seat: _Seat) -> None:
        self._cooldowns.forget(self._pause_id(seat))
        self._gone.append(seat.provider)
        seat.provider.retire()

    def _pause_id(self, seat: _Seat) -> str:
        return pause_id(self.provider_id, seat.key.id)

    # Answers

    def for_attempt(self, *, force: bool = False) -> KeyedAttempt:
        """The provider for one attempt, which notes its key. ``force`` asks refused ones where no other is left."""
        return KeyedAttempt(self, force=force)

    def stream(self, request: LLMRequest) -> AsyncGenerator[StreamEvent, None]:
        """Yield the answer of the first key that is taken; raises ProviderError."""
        return self.for_attempt().stream(request)

    def pick(self, model: str, tried: Sequence[_Seat], *, force: bool = False) -> _Seat | None:
        """The next key to ask, None where none is left.

        Of those that may be asked the one with the fewest requests, then the one that has waited longest; one that
        is back from a refusal gets one request at a time until it has answered. Forced, it is one that was refused,
        since the person may have mended that: one that has reached its limit is never asked before its time.
        """
        now = self._now()
        left = [s for s in self._seats if s not in tried and (s.key.retires_at is None or s.key.retires_at > now)]
        ready = [seat for seat in left if not self._left_s(seat, model)]
        if ready:
            return min(ready, key=lambda s: self._rank(s, model))
        mended = [s for s in left if model in s.refusals and s.refusals[model].error_class != "rate_limit"]
        return min(mended, key=lambda s: self._left_s(s, model)) if force and mended else None

    def _rank(self, seat: _Seat, model: str) -> tuple[bool, bool, int, int]:
        is_on_trial = model in seat.refusals and seat.in_flight > 0
        return seat.key.retires_at is not None, is_on_trial, seat.in_flight, seat.turn

    def _left_s(self, seat: _Seat, model: str) -> float:
        return self._cooldowns.left_s(self._pause_id(seat), model)

    def begins(self, seat: _Seat) -> None:
        """A request goes out with this key."""
        seat.in_flight += 1
        seat.turn = next(self._turns)

    def worked(self, seat: _Seat, model: str) -> None:
        """The key was taken."""
        if seat.refusals.pop(model, None) is not None:
            self._cooldowns.worked(self._pause_id(seat), model)

    def refused(self, seat: _Seat, model: str, error: ProviderError) -> bool:
        """Take a failure in; True where it is this key's and not the service's.

        Requests that were out at the same time meet the same refusal: it counts once, the later deadline wins.
        """
        if error.error_class not in FIRST_WAIT_S:
            return False
        if error.retry_after_s is not None or not self._left_s(seat, model):
            self._cooldowns.note(self._pause_id(seat), model, error)
        seat.refusals[model] = error
        return True

    def nobody_left(self, model: str) -> ProviderError:
        """The error where no key is left: of the one that is back first, with all their reasons."""
        resting = [(self._left_s(seat, model), seat) for seat in self._seats if model in seat.refusals]
        facts = [(wait, self._called(seat), seat.refusals[model]) for wait, seat in resting]
        return nobody_left(self.provider_id, model, facts, len(self._seats))

    def _called(self, seat: _Seat) -> str:
        """A key in the words of a receipt: its number, and the person's name for it or its last characters."""
        return f"key {self._seats.index(seat) + 1} ({seat.key.label})" if seat in self._seats else "a key"

    def passed_over_line(self, seat: _Seat, error: ProviderError) -> str:
        """The words of the receipt for a key that was refused."""
        return f"{self._called(seat)} {refusal_in_words(error)}"

    # What does not depend on the key, or asks with any

    def _by_rank(self) -> list[_Seat]:
        return sorted(self._seats, key=lambda s: (self._left_s(s, self.model) > 0, self._rank(s, self.model)))

    def answer_limit(self, model: str) -> int | None:
        """The length in tokens that is sent along where nobody has set one."""
        return self._seats[0].provider.answer_limit(model)

    def window_of(self, model: str) -> int | None:
        """The window this model is asked with, where it is known."""
        return self._seats[0].provider.window_of(model)

    async def connect(self) -> None:
        """Check that the provider answers with one of the keys; raises ProviderError."""
        await self._with_any(lambda provider: provider.connect())

    async def list_models(self) -> list[ModelInfo]:
        """The models this provider offers to the first key that may list them; raises ProviderError."""
        return await self._with_any(lambda provider: provider.list_models())

    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        """One vector a text, from the first key that is taken; the answer names the key. Raises ProviderError."""

        async def ask(seat: _Seat) -> Embeddings:
            return replace(await seat.provider.embed(request), key_label=seat.key.label)

        return await self._with_any_seat(ask)

    async def _with_any(self, ask: Callable[[BaseLLMProvider], Awaitable[T]]) -> T:
        """Ask with one key after another. A refusal is not held against a key: it may be allowed to answer only."""
        return await self._with_any_seat(lambda seat: ask(seat.provider))

    async def _with_any_seat(self, ask: Callable[[_Seat], Awaitable[T]]) -> T:
        *others, last = self._by_rank()
        for seat in others:
            try:
                return await ask(seat)
            except ProviderError as exc:
                if exc.error_class not in FIRST_WAIT_S:
                    raise
        return await ask(last)

    async def count_tokens(self, request: LLMRequest) -> TokenCount:
        """The tokens of a prompt, by a key that works; never raises."""
        return await self._by_rank()[0].provider.count_tokens(request)

    def states(self) -> Mapping[str, KeyState]:
        """How each key stands now, by its id."""
        return {
            seat.key.id: state_of(self._cooldowns, self._pause_id(seat), seat.refusals, self._now())
            for seat in self._seats
        }

    def forgive(self, key_id: str) -> None:
        """Ask this key again from now on: the person has tested it."""
        self._cooldowns.forget(pause_id(self.provider_id, key_id))
        for seat in self._seats:
            if seat.key.id == key_id:
                seat.refusals.clear()

    def to_keep(self, model: str, now: datetime) -> dict[str, dict[str, str]]:
        """Return what is worth keeping over a restart of the keys that rest, by their ids."""
        resting = ((seat, self._left_s(seat, model)) for seat in self._seats if model in seat.refusals)
        return {s.key.id: to_keep(left_s, s.key.label, s.refusals[model], now) for s, left_s in resting if left_s}

    def resume(self, model: str, kept: object, now: datetime) -> bool:
        """Let keys rest on that rested when the last run ended, where they are still the same; True where one does."""
        known = kept if isinstance(kept, Mapping) else {}
        refusals = [(seat, from_kept(known.get(seat.key.id), seat.key.label, now)) for seat in self._seats]
        resting = [self.refused(seat, model, error) for seat, error in refusals if error is not None]
        return any(resting)

    def retire(self) -> None:
        """Take note that no new requests will come."""
        for seat in self._seats:
            seat.provider.retire()

    async def aclose(self) -> None:
        """Close what every key held, also of those that were removed."""
        held = [*(seat.provider for seat in self._seats), *self._gone]
        self._gone.clear()
        await asyncio.gather(*(provider.aclose() for provider in held))


class KeyedAttempt(BaseLLMProvider):
    """A pool for one attempt: ``key_label`` is the key it went with, ``passed_over`` what came before it."""

    def __init__(self, pool: KeyPool, *, force: bool) -> None:
        super().__init__(pool.config)
        self._pool = pool
        self._force = force
        self.passed_over: tuple[PassedOver, ...] = ()

    async def stream(self, request: LLMRequest) -> AsyncGenerator[StreamEvent, None]:
        """Yield the answer of the first key that is taken; raises ProviderError."""
        pool, model = self._pool, request.model or self.model
        tried: list[_Seat] = []
        force = self._force and pool.pick(model, tried) is None
        while (seat := pool.pick(model, tried, force=force)) is not None:
            tried.append(seat)
            try:
                async with aclosing(self._with(seat, model, request)) as events:
                    async for event in events:
                        yield event
                return
            except _NextKey:
                continue
        raise pool.nobody_left(model)

    async def _with(self, seat: _Seat, model: str, request: LLMRequest) -> AsyncGenerator[StreamEvent, None]:
        """Yield the answer with one key; raises _NextKey where it was refused before the first piece."""
        pool, has_begun = self._pool, False
        self.key_label = seat.key.label
        started = asyncio.get_running_loop().time()
        pool.begins(seat)
        try:
            async with aclosing(seat.provider.stream(request)) as events:
                async for event in events:
                    if not has_begun:
                        has_begun = True
                        pool.worked(seat, model)
                    yield event
        except ProviderError as exc:
            if not pool.refused(seat, model, exc) or has_begun:
                raise
            ms = round((asyncio.get_running_loop().time() - started) * 1000, 1)
            self.passed_over = (*self.passed_over, PassedOver(pool.passed_over_line(seat, exc), ms))
            exc.with_traceback(None)  # it is kept as long as the key rests; the question is not
            raise _NextKey from None
        finally:
            seat.in_flight -= 1


class _NextKey(Exception):
    """This key was refused before anything came."""
