"""Heights of the transcript's rows: a guess from the text until a row is laid out, and prefix sums over all rows.

A Fenwick tree, so that setting one height and finding the row at a pixel both cost log n of 10,000 rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Heights:
    """Row heights in pixels with fast sums."""

    def __init__(self, values: Iterable[int] = ()) -> None:
        self._values = list(values)
        self._tree = [0] * (len(self._values) + 1)
        for place, value in enumerate(self._values, 1):
            self._tree[place] += value
            parent = place + (place & -place)
            if parent < len(self._tree):
                self._tree[parent] += self._tree[place]

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, row: int) -> int:
        return self._values[row]

    def __setitem__(self, row: int, value: int) -> None:
        change = value - self._values[row]
        self._values[row] = value
        place = row + 1
        while change and place < len(self._tree):
            self._tree[place] += change
            place += place & -place

    def append(self, value: int) -> None:
        """Adds a row at the end."""
        self._values.append(value)
        place = len(self._values)
        first = place - (place & -place)
        self._tree.append(sum(self._values[first:place]))

    def top(self, row: int) -> int:
        """Returns where ``row`` begins: the sum of the heights before it."""
        total = 0
        while row:
            total += self._tree[row]
            row -= row & -row
        return total

    @property
    def total(self) -> int:
        """The height of all rows."""
        return self.top(len(self._values))

    def find(self, y: int) -> tuple[int, int]:
        """Returns the row at ``y`` and the distance from its top; the last row for anything below it."""
        place, step, rest = 0, 1 << len(self._values).bit_length(), max(0, y)
        while step:
            after = place + step
            if after < len(self._tree) and self._tree[after] <= rest:
                place = after
                rest -= self._tree[after]
            step >>= 1
        if place >= len(self._values) and place:
            return len(self._values) - 1, rest + self._values[-1]
        return place, rest


def guess_height(text: str, width: int, line_px: int = 23) -> int:
    """Guesses the height of a message from its text alone, in pixels."""
    per_line = max(20, width // 7)
    lines = 0
    after_blank = True
    for line in text[:20_000].split("\n"):
        if line.strip() and (after_blank or line[0] in "-*#|>`0123456789 "):
            lines += 1 + len(line) // per_line
        after_blank = not line.strip()
    return 90 + lines * line_px
