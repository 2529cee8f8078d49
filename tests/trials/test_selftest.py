"""The self-test walks real parts; a part that does not work fails it, and one that is not there is left out."""

from __future__ import annotations

import pytest

from vpa_desktop.cli.selftest import round_trip
from vpa_desktop.errors import VPAError
from vpa_desktop.system import System
from vpa_desktop.trials import selftest
from vpa_desktop.trials.report import selftest_document, selftest_markdown, summary
from vpa_desktop.trials.selftest import LeftOut, NotRight, Trial, run_selftest
from vpa_desktop.trials.small_pdf import pdf_of
from vpa_desktop.trials.values import Step

QUICK = {"Settings file", "Database and migration", "Backup and restore", "Audit", "Encrypted key file",
         "Failover (500)", "Spending limit", "Kept answer", "Offline", "Local endpoint"}  # fmt: skip


async def steps(monkeypatch: pytest.MonkeyPatch, names: set[str]) -> dict[str, Step]:
    monkeypatch.setattr(selftest, "STEPS", tuple(each for each in selftest.STEPS if each[0] in names))
    return {step.name: step async for step in run_selftest(round_trip)}


async def test_every_quick_part_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    found = await steps(monkeypatch, QUICK)
    assert set(found) == QUICK
    assert {step.name: step.detail for step in found.values() if step.outcome != "passed"} == {}


@pytest.mark.slow
async def test_documents_are_found_and_cited(monkeypatch: pytest.MonkeyPatch) -> None:
    found = await steps(monkeypatch, {"Documents", "Answer with a citation"})
    assert [step.outcome for step in found.values()] == ["passed", "passed"]
    assert "page 2" in found["Answer with a citation"].detail


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(NotRight("It is wrong"), "failed"), (LeftOut("It is not here"), "skipped"), (VPAError("It broke"), "failed"),
     (OSError("no room"), "failed"), (TimeoutError(), "failed")],
)  # fmt: skip
async def test_a_part_that_does_not_work_is_named(
    monkeypatch: pytest.MonkeyPatch, error: Exception, outcome: str
) -> None:
    async def breaks(trial: Trial) -> str:
        raise error

    async def works(trial: Trial) -> str:
        return "fine"

    monkeypatch.setattr(selftest, "STEPS", (("Broken", breaks), ("Well", works)))
    found = [step async for step in run_selftest(round_trip)]
    assert [step.outcome for step in found] == [outcome, "passed"]
    assert found[0].detail


async def test_a_wrong_answer_of_the_endpoint_fails_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(system: System) -> str:
        raise NotRight("The endpoint answered 500")

    monkeypatch.setattr(selftest, "STEPS", tuple(each for each in selftest.STEPS if each[0] == "Local endpoint"))
    (step,) = [step async for step in run_selftest(silent)]
    assert (step.outcome, step.detail) == ("failed", "The endpoint answered 500")


def test_the_report_counts_what_it_lists() -> None:
    found = [Step("A", "passed", "ok | fine", 1.0), Step("B", "failed", "no", 2.0), Step("C", "skipped", "none", 0.0)]
    machine = {"program": "VPA Desktop 1", "python": "3", "system": "s", "measured_at": "now"}
    assert summary(found) == "1 passed, 1 failed, 1 skipped."
    assert "| A | passed | ok \\| fine | 1 |" in selftest_markdown(found, machine)
    document = selftest_document(found, machine)
    assert (document["ok"], document["failed"], len(document["steps"])) == (False, 1, 3)


def test_the_small_pdf_has_its_pages_and_its_words() -> None:
    import pypdfium2

    document = pypdfium2.PdfDocument(pdf_of(("First (page)", "Second \\ page")))
    texts = [document[n].get_textpage().get_text_bounded() for n in range(len(document))]
    document.close()
    assert texts == ["First (page)", "Second \\ page"]
