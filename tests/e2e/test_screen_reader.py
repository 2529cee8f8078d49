"""The real window on a real X server, driven from outside through the accessibility tree by the contract's names."""

from __future__ import annotations

import pytest

from tests.e2e.on_screen import driven, missing
from tests.e2e.program import Program


@pytest.mark.alone
@pytest.mark.ui
@pytest.mark.slow
@pytest.mark.skipif(bool(missing()), reason=missing() or "-")
def test_a_question_is_typed_sent_and_answered_by_names_alone(program: Program) -> None:
    program.settings('[providers.spare]\nkind = "mock"\n[routing]\ndefault_provider = "spare"\n')
    question = "Repeat these words exactly"
    found = driven(program, "tests.e2e.screen_reader", question)
    assert found["items"] == [f"You: {question}", f"Assistant: {question}"]
    assert found["buttons"] == [["push button", name] for name in ("Copy", "Regenerate", "Sources", "Route receipt")]
    assert all(found["roles"].values()), found["roles"]
    assert (found["roles"]["Message"], found["roles"]["Transcript"]) == ("text", "list")
    assert found["roles"]["Chat"] == "page tab"
    assert (program.home / "vpa.db").exists()
