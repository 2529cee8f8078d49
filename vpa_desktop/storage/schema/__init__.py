"""The tables as SQL: a module and a tuple of statements per schema version. Not what runs them: ``migrations`` does.

Append-only: a version that has been released is never edited; a change is a new tuple.

Times are ISO 8601 text in UTC with microseconds, so that they sort as text; of kept answers they are Unix seconds.
Money is text (Decimal).
Each full-text table keeps no text of its own: it reads the table or view named as its content, and
triggers keep it in step.
"""

from __future__ import annotations

from vpa_desktop.storage.schema.first import VERSION_1
from vpa_desktop.storage.schema.gateway import VERSION_2
from vpa_desktop.storage.schema.passages import VERSION_3
from vpa_desktop.storage.schema.pictures import VERSION_4

VERSIONS = (VERSION_1, VERSION_2, VERSION_3, VERSION_4)
"""In order: version 1 first."""
