"""Messages to look at and to test with, and a grab of a widget into a file."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from PySide6.QtWidgets import QApplication, QWidget

from vpa_desktop.messages import Attempt, Citation, Usage
from vpa_desktop.records import MessageRecord

NOON = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)

DATES = """The contract sets **three dates** [1]. Missing the second one is the expensive case: the penalty is \
`0.5 %` of the order value for each started week [2].

| Deadline | Date | If missed |
|:--|:--|:--|
| First delivery | 14 March | written notice, no cost |
| Acceptance test | 2 April | 0.5 % a week, capped at 5 % |
| Final payment | 30 days after acceptance | interest at 9 % |

> The cap in section 7.3 does not cover damage from gross negligence."""

PENALTY = '''Here it is, with the cap from section 7.3:

```python
from datetime import date
from math import ceil

def penalty(order_value: float, due: date, done: date) -> float:
    """0.5 % for each started week, at most 5 %."""
    weeks = max(0, ceil((done - due).days / 7))
    return min(0.005 * weeks, 0.05) * order_value
```

A delay of 10 days on an order of 40,000 € costs **400 €**.'''

LONG = """# Moving the importer

Before the change, please read [the guide](https://example.org/guide "hint") and these points:

1. Make a copy of the file.
2. Run the check:

   ```bash
   vpa check --all data/*.csv
   ```
3. Look at the result
   - rows that were left out
   - rows with *two* dates
     1. nested once more

## What changes

> A quote with **weight**
>
> > and a quote inside it.

| Column | Meaning | Example |
|:--|:-:|--:|
| `id` | the row's number | 12 |
| `name` | ~~old~~ new name | Ada |

```sql
SELECT name, count(*) FROM rows WHERE id > 3 GROUP BY name;
```

    indented code

Two lines with a break\\
and the end. ![a chart](http://127.0.0.1:1/x.png)

---

Done.
"""


def message(number: int, role: str, content: str, **fields: object) -> MessageRecord:
    """Returns a stored message."""
    values: dict[str, object] = {"created_at": NOON, **fields}
    return MessageRecord(
        id=f"m{number}",
        conversation_id="c1",
        role="user" if role == "user" else "assistant",
        content=content,
        **values,  # type: ignore[arg-type]
    )


def citation(n: int, document: str = "supplier-contract.pdf", page: int | None = 4, section: str = "") -> Citation:
    """Returns a citation."""
    return Citation(n, document, document, document, page, section, 0.8, "the passage")


def answer(number: int, content: str, **fields: object) -> MessageRecord:
    """Returns a finished answer with model, usage and price."""
    usual: dict[str, object] = {
        "provider": "openai",
        "model": "gpt-5-mini",
        "usage": Usage(1_500, 342),
        "cost_usd": Decimal("0.0031"),
        "latency_ms": 2_400.0,
        "attempts": (Attempt("openai", "gpt-5-mini", "ok", ms=2_400),),
    }
    return message(number, "assistant", content, **{**usual, **fields})


def conversation(count: int) -> list[MessageRecord]:
    """Returns ``count`` messages of mixed kinds."""
    bodies = (DATES, PENALTY, LONG, "Short and *sweet*.")
    return [
        message(n, "user", f"Question {n} about the contract?")
        if n % 2 == 0
        else answer(n, f"Answer {n}. {bodies[n // 2 % 4]}")
        for n in range(count)
    ]


def contract() -> list[MessageRecord]:
    """Returns the conversation of the design's picture."""
    sources = (citation(1), citation(2, page=9), citation(3, "annex-B.docx", None, "§ 2"))
    return [
        message(0, "user", "What are the deadlines in the supplier contract, and what happens if we miss them?"),
        answer(1, DATES, citations=sources),
        message(2, "user", "Write me a small function for the penalty."),
        answer(
            3, PENALTY, citations=(sources[1],), usage=Usage(500, 112), cost_usd=Decimal("0.0011"), latency_ms=1_100.0
        ),
    ]


def grab(widget: QWidget, target: Path) -> Path:
    """Saves a picture of a widget and returns where."""
    for _ in range(4):
        QApplication.processEvents()
    assert widget.grab().save(str(target))
    return target
