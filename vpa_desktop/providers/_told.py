"""Which texts of an answer's items were already told: their ends repeat them. Knows items and parts, no protocol.

Servers name items by a place, by an id, by an id that changes with every event, or not at all; so an end that nothing
else assigns belongs to the item with the same text.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Told:
    """One item and what of it was told, by kind and number of the part. ``ended`` and ``repeated`` are its two ends."""

    family: str
    index: int | None
    names: set[str]
    parts: dict[tuple[str, int], list[str]] = field(default_factory=dict)
    ended: bool = False
    repeated: bool = False

    def text(self, kind: str, part: int | None = None) -> str:
        """What was told of a part, or of all in their order."""
        keys = sorted(key for key in self.parts if key[0] == kind and part in (None, key[1]))
        return "".join(piece for key in keys for piece in self.parts[key])

    def has(self, kind: str) -> bool:
        """Whether anything of this kind was told."""
        return any(key[0] == kind for key in self.parts)

    def says(self, text: str) -> bool:
        """Whether this is what it told, spaces aside."""
        wanted = "".join(text.split())
        return any("".join(self.text(kind).split()) == wanted for kind in {key[0] for key in self.parts})

    def is_named(self, index: int | None, name: str) -> bool:
        """Whether its id is the one given, and its place no other."""
        return name in self.names and (index is None or self.index in (None, index))


@dataclass(slots=True)
class Items:
    """The items of one answer, as they came."""

    found: list[Told] = field(default_factory=list)

    def known(self, family: str, index: int | None, name: str) -> Told | None:
        """The item at this place or with this id."""
        same = [item for item in self.found if item.family == family]
        at_place = (item for item in same if index is not None and item.index == index)
        return next(at_place, None) or next((item for item in same if item.is_named(index, name)), None)

    def going_on(self, family: str, index: int | None, name: str) -> Told:
        """The item that a piece belongs to: without a place or a known id the last that has not ended."""
        item = self.known(family, index, name)
        if item is None and index is None:
            item = self._last(family)
        return self._named(item, family, index, name)

    def part_over(self, family: str, index: int | None, name: str, text: str) -> Told:
        """The item that the end of a part belongs to."""
        item = self.known(family, index, name) or self._saying(family, text, index)
        if item is None and index is None and not name:
            item = self._last(family)
        return self._named(item, family, index, name)

    def over(self, family: str, index: int | None, name: str, text: str) -> Told:
        """The item that ended."""
        item = self.known(family, index, name) or self._saying(family, text, index)
        item = self._named(item, family, index, name)
        item.ended = True
        return item

    def again(self, family: str, index: int, name: str, text: str) -> Told:
        """The item as the whole answer repeats it; places there need not be the ones of the stream."""
        left = [item for item in self.found if item.family == family and not item.repeated]
        ways = (
            (item for item in left if name in item.names),
            (item for item in left if item.says(text)),
            (item for item in left if item.index == index),
            (item for item in left if item.index is None and not item.ended),
        )
        item = next((item for way in ways for item in way), None) or self._named(None, family, index, name)
        item.repeated = True
        return item

    def _last(self, family: str) -> Told | None:
        return next((item for item in reversed(self.found) if item.family == family and not item.ended), None)

    def _saying(self, family: str, text: str, index: int | None) -> Told | None:
        """The item that told this text, where its place does not speak against it."""
        same = (item for item in self.found if item.family == family and not item.ended and item.says(text))
        return next((item for item in same if None in (index, item.index)), None)

    def _named(self, item: Told | None, family: str, index: int | None, name: str) -> Told:
        if item is None:
            item = Told(family, index, set())
            self.found.append(item)
        if name:
            item.names.add(name)
        if item.index is None:
            item.index = index
        return item
