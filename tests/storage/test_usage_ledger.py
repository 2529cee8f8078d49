"""What was spent is booked, whoever waits for it."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from vpa_desktop.records import UsageRow
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.usage import UsageLedger


async def test_a_row_is_booked_also_where_the_caller_is_cancelled(tmp_path: Path) -> None:
    db = await Database.open(tmp_path / "vpa.db", backups=tmp_path / "backups")
    ledger, gate = UsageLedger(db), threading.Event()
    busy = asyncio.create_task(db.write(lambda _: gate.wait(5)))
    booking = asyncio.create_task(
        ledger.record(UsageRow(datetime.now(UTC), "a", "m", "cancelled", cost_usd=Decimal("0.5")))
    )
    await asyncio.sleep(0.01)
    booking.cancel()
    await asyncio.gather(booking, return_exceptions=True)
    gate.set()
    await busy
    await db.write(lambda _: None)  # whatever was queued before is done
    assert [row.cost_usd for row in await ledger.rows()] == [Decimal("0.5")]
    await db.aclose()
