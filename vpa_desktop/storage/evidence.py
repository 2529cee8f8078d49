"""What answers stand on, as it is stored with them, and read back for figures over time."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from vpa_desktop.evidence import Evidence, Feedback, LeftOut, Quality
from vpa_desktop.storage.rows import from_json, text_to_time, time_to_text, to_json

if TYPE_CHECKING:
    from vpa_desktop.storage.database import Database


@dataclass(frozen=True, slots=True)
class JudgedAnswer:
    """One answer for whose question the documents were searched."""

    at: datetime
    quality: Quality
    feedback: Feedback


async def judged_answers(db: Database, since: datetime | None = None) -> list[JudgedAnswer]:
    """The answers that were judged, oldest first; those that were given anew are left out."""
    query = (
        "SELECT created_at, evidence, feedback FROM messages "
        "WHERE evidence <> '{}' AND is_superseded = 0 AND created_at >= ? ORDER BY created_at"
    )
    rows = await db.read(lambda c: c.execute(query, [time_to_text(since) if since else ""]).fetchall())
    found = [(text_to_time(at), evidence_from_json(text).quality, feedback) for at, text, feedback in rows]
    return [JudgedAnswer(at, quality, feedback) for at, quality, feedback in found if quality is not None]


def evidence_to_json(evidence: Evidence) -> str:
    """The evidence as compact JSON; an empty object where there is none."""
    return "{}" if evidence == Evidence() else to_json(asdict(evidence))


def evidence_from_json(text: str) -> Evidence:
    """The evidence that ``evidence_to_json`` wrote."""
    data: dict[str, Any] = json.loads(text)
    quality = data.get("quality")
    return Evidence(
        data.get("searched_for", ""),
        tuple(from_json(LeftOut, each) for each in data.get("left_out", ())),
        _quality(quality) if quality is not None else None,
    )


def _quality(data: dict[str, Any]) -> Quality:
    read = from_json(Quality, data)
    return replace(read, unsupported=tuple(read.unsupported), misattributed=tuple(read.misattributed))
