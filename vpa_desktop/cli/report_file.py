"""A report as the file a person named: JSON where its ending says so, else Markdown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vpa_desktop.cli.output import to_plain
from vpa_desktop.storage.output_files import output_file

Write = Callable[[str, dict[str, Any]], None]
"""Takes a report as Markdown and as a document, and writes the one that is wanted."""


@contextmanager
def report_file(path: Path | None, *, overwrite: bool) -> Iterator[Write]:
    """Yield what writes the report; without a path it writes nothing. Raises as ``output_file``, before any work."""
    if path is None:
        yield lambda markdown, document: None
        return
    with output_file(path, overwrite=overwrite) as file:

        def write(markdown: str, document: dict[str, Any]) -> None:
            is_json = path.suffix.lower() == ".json"
            text = json.dumps(to_plain(document), ensure_ascii=False, indent=2) + "\n" if is_json else markdown
            file.write(text.encode())

        yield write
