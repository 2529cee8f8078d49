"""A usage row to columns and back. Sums nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from vpa_desktop.records import UsageRow
from vpa_desktop.storage.rows import money_to_text, text_to_money, text_to_time, time_to_text

if TYPE_CHECKING:
    import sqlite_utils


_COLUMNS: Final = UsageRow._fields
_INSERT: Final = f"INSERT INTO usage ({', '.join(_COLUMNS)}) VALUES ({', '.join(f':{name}' for name in _COLUMNS)})"


def insert_usage(db: sqlite_utils.Database, row: UsageRow) -> None:
    """Adds one row inside a transaction of the caller's.

    One statement that SQLite keeps prepared: ``insert`` of sqlite_utils looks at the table each time, and every answer
    waits for this.
    """
    values = row._asdict() | {
        "at": time_to_text(row.at),
        "cost_usd": money_to_text(row.cost_usd),
        "estimated": int(row.estimated),
        "cached": int(row.cached),
        "saved_usd": money_to_text(row.saved_usd),
    }
    db.conn.execute(_INSERT, values)


def usage_from(row: dict[str, Any]) -> UsageRow:
    """The row as it was booked."""
    values = {name: value for name, value in row.items() if name != "id"}
    values["at"] = text_to_time(row["at"])
    values["cost_usd"] = text_to_money(row["cost_usd"])
    values["saved_usd"] = text_to_money(row["saved_usd"])
    values["estimated"] = bool(row["estimated"])
    values["cached"] = bool(row["cached"])
    return UsageRow(**values)
