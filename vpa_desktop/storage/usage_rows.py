"""A usage row to columns and back. Sums nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vpa_desktop.records import UsageRow
from vpa_desktop.storage.rows import money_to_text, text_to_money, text_to_time, time_to_text

if TYPE_CHECKING:
    import sqlite_utils


def insert_usage(db: sqlite_utils.Database, row: UsageRow) -> None:
    """Adds one row inside a transaction of the caller's."""
    db.table("usage").insert(
        {
            "at": time_to_text(row.at),
            "provider": row.provider,
            "model": row.model,
            "outcome": row.outcome,
            "input_tokens": row.input_tokens,
            "output_tokens": row.output_tokens,
            "cached_input_tokens": row.cached_input_tokens,
            "cost_usd": money_to_text(row.cost_usd),
            "ttft_ms": row.ttft_ms,
            "latency_ms": row.latency_ms,
            "error_class": row.error_class,
            "conversation_id": row.conversation_id,
            "message_id": row.message_id,
            "estimated": int(row.estimated),
            "cached": int(row.cached),
            "cache_write_tokens": row.cache_write_tokens,
            "user_id": row.user_id,
            "key_label": row.key_label,
            "saved_usd": money_to_text(row.saved_usd),
            "saved_ms": row.saved_ms,
        }
    )


def usage_from(row: dict[str, Any]) -> UsageRow:
    """The row as it was booked."""
    values = {name: value for name, value in row.items() if name != "id"}
    values["at"] = text_to_time(row["at"])
    values["cost_usd"] = text_to_money(row["cost_usd"])
    values["saved_usd"] = text_to_money(row["saved_usd"])
    values["estimated"] = bool(row["estimated"])
    values["cached"] = bool(row["cached"])
    return UsageRow(**values)
