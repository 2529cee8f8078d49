"""Adversarial scenario 14: a hundred at once against a limit for ten, over real sockets and the real ledger."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from tests.benchmarks.budget import COVERED, LEAVES, run


@pytest.mark.alone
async def test_a_hundred_at_once_never_pass_a_limit_for_ten(tmp_path: Path) -> None:
    done = await run(tmp_path)
    answered, left = done.answered.total(), sum(LEAVES.values())
    assert (answered + done.refused + done.cancelled, done.cancelled) == (100, left)
    assert done.refused > 50
    assert done.most_claimed_usd <= done.limit_usd
    assert done.spent_usd == done.rows_usd <= done.limit_usd
    assert done.spent_usd > done.limit_usd / 2  # the limit was used, not only kept
    assert done.reserved_usd == Decimal()
    assert done.asked["paid"] == done.answered["paid"] + LEAVES["paid"] <= COVERED + LEAVES["paid"]
    assert done.rows == 100 + done.asked["paid"]  # each attempt is a row: the free one's and the paid one's
    assert done.estimated >= left  # what was not counted says so
    assert done.asked_later == done.asked  # nobody asks again for a caller who is gone
    assert done.hung_up == left
    assert done.closed_within_s < 1.0
