"""The self-test: the program's parts walked end to end on data of its own, each passed, failed or left out.

The only thing of the person's that is touched is their keyring: an entry of the test's own is stored there, read, and
removed. Nothing but this machine is contacted.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from vpa_desktop.drills import DrillFault, DrillReport
from vpa_desktop.errors import BudgetExceeded, PolicyRefused, SecretError, VPAError
from vpa_desktop.messages import EnhancedLLMRequest, LLMRequest, Message
from vpa_desktop.page_views import PageView, Place
from vpa_desktop.security.audit import AuditLog
from vpa_desktop.security.file_vault import FileVault
from vpa_desktop.security.vault import KeyringVault, KeyVault
from vpa_desktop.settings_file import load_settings, save_changes
from vpa_desktop.storage.conversations import ConversationStore
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.migrations import MIGRATIONS
from vpa_desktop.storage.restoring import restore
from vpa_desktop.system import System
from vpa_desktop.trials.small_pdf import pdf_of
from vpa_desktop.trials.stage import Stage, add_files, stage
from vpa_desktop.trials.values import Outcome, Step

PAGES: Final = (
    "This lease is made between the owner and the tenant of the house at the harbour.",
    "The notice period is three months to the end of a quarter. Notice is given in writing.",
)
QUESTION: Final = "How long is the notice period?"
KEYRING_S: Final = 10.0


class NotRight(Exception):
    """A part did something else than it should; its text says what."""


class LeftOut(Exception):
    """A part cannot be tried here; its text says why."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What the steps work with: a data folder, and how an endpoint is opened (None where that cannot be)."""

    stage: Stage
    round_trip: Callable[[System], Awaitable[str]]

    @property
    def folder(self) -> Path:
        """A place for files of the test's own."""
        return self.stage.paths.home.parent


async def run_selftest(round_trip: Callable[[System], Awaitable[str]]) -> AsyncIterator[Step]:
    """Yield each step as it is done. ``round_trip`` asks a system once through the local endpoint."""
    with stage() as place:
        trial = Trial(place, round_trip)
        for name, step in STEPS:
            yield await _tried(name, step, trial)


async def _tried(name: str, step: Callable[[Trial], Awaitable[str]], trial: Trial) -> Step:
    started = time.perf_counter()
    outcome: Outcome = "passed"
    try:
        detail = await step(trial)
    except LeftOut as exc:
        outcome, detail = "skipped", str(exc)
    except (NotRight, VPAError, OSError, TimeoutError) as exc:
        outcome, detail = "failed", str(exc) or type(exc).__name__
    return Step(name, outcome, detail, (time.perf_counter() - started) * 1000)


def _must(is_right: bool, what: str) -> None:
    if not is_right:
        raise NotRight(what)


async def _settings(trial: Trial) -> str:
    file = trial.folder / "settings" / "settings.toml"
    save_changes(file, {"routing.strategy": "cheapest", "budget.daily_limit_usd": 2.5})
    loaded = load_settings(file)
    _must(not loaded.problems, " ".join(loaded.problems))
    _must(loaded.settings.routing.strategy == "cheapest", "The strategy was not read back")
    return "written, and read back the same"


async def _database(trial: Trial) -> str:
    home = trial.folder / "database"
    old = await Database.open(home / "vpa.db", backups=home / "backups", migrations=MIGRATIONS[:1])
    await ConversationStore(old).create("kept over versions")
    await old.aclose()
    db = await Database.open(home / "vpa.db", backups=home / "backups")
    try:
        titles = [record.title for record in await ConversationStore(db).list()]
    finally:
        await db.aclose()
    _must(titles == ["kept over versions"], "The conversation did not survive the migration")
    _must(len(list((home / "backups").glob("*.db"))) == 1, "There was no backup before the migration")
    return f"made at version 1, backed up, migrated to version {MIGRATIONS[-1].version}, nothing lost"


async def _restore(trial: Trial) -> str:
    home = trial.folder / "restore"
    db = await Database.open(home / "vpa.db", backups=home / "backups")
    await ConversationStore(db).create("before")
    made = await db.backup()
    await ConversationStore(db).create("after")
    await db.aclose()
    done = restore(made, home / "vpa.db", home / "backups")
    _must(done.rows["conversations"] == 1, "The restored database is not that of the backup")
    _must(done.kept_as is not None and done.kept_as.is_file(), "What was there was not kept")
    return "backed up while open, restored, what was there kept"


async def _audit(trial: Trial) -> str:
    async with trial.stage.system() as system:
        audit = AuditLog(system.db)
        await audit.append("selftest", "audit", "done")
        verdict = await audit.verify()
    _must(verdict.ok and verdict.entries > 0, verdict.why or "There is no entry")
    return f"{verdict.entries} entry, the chain of hashes holds"


async def _keyring(trial: Trial) -> str:
    try:
        return await _stored(KeyringVault(timeout_s=KEYRING_S))
    except SecretError as exc:
        raise LeftOut(str(exc)) from exc


async def _key_file(trial: Trial) -> str:
    return await _stored(FileVault(trial.folder / "keys.vault", secrets.token_urlsafe(16)))


async def _stored(vault: KeyVault) -> str:
    name, value = f"selftest_{secrets.token_hex(4)}", secrets.token_urlsafe(24)
    await vault.set(name, value)
    try:
        _must(await vault.get(name) == value, "The entry was not given back")
    finally:
        await vault.delete(name)
    _must(await vault.get(name) is None, "The entry is still there after it was deleted")
    return f"{vault.name}: written, read, deleted"


async def _documents(trial: Trial) -> str:
    lease = trial.folder / "lease.pdf"
    lease.write_bytes(pdf_of(PAGES))
    async with trial.stage.system() as system:
        report = await add_files(system, lease)
        _must(report.added == 1, "; ".join(f.reason for f in report.failed) or "The document was not added")
        found = (await system.search_documents(QUESTION)).results
        _must(bool(found) and found[0].page == 2, "The passage on page 2 was not found first")
        first = found[0]
        place = Place(first.document_id, first.page, first.chunk_id, first.text, first.start, first.end)
        view = await system.viewer.show(place)
        by_meaning = first.why.dense_rank is not None
    _must(isinstance(view, PageView) and bool(view.marks), "The passage was not marked on its page")
    how = "by words and by meaning" if by_meaning else "by words only"
    return f"added a PDF, found its page 2 {how}, and marked it on the page"


async def _citation(trial: Trial) -> str:
    async with trial.stage.system() as system:
        asked = EnhancedLLMRequest(QUESTION, use_rag=True, provider="player")
        answer = await system.integration.generate_enhanced_response(asked)
    _must(bool(answer.citations), "The answer has no citation")
    first = answer.citations[0]
    _must(first.page == 2, f"The citation leads to page {first.page} instead of 2")
    return f"answered with {len(answer.citations)} citation, {first.document}, page {first.page}"


async def _local_answer(trial: Trial) -> str:
    from vpa_desktop.catalog import LLMProvider, LLMProviderConfig
    from vpa_desktop.providers import build_provider
    from vpa_desktop.providers._http import HttpSession

    http = HttpSession(offline=True)
    provider = build_provider(LLMProviderConfig(LLMProvider.LLAMA_CPP, provider_id="local", timeout=120.0), http)
    try:
        answer = await provider.generate(LLMRequest((Message("user", "Say hello."),), max_tokens=24))
    finally:
        await provider.aclose()
        await http.aclose()
    _must(bool(answer.content.strip()), "The answer is empty")
    return f"{provider.model or 'the local model'} said: {' '.join(answer.content.split())[:60]}"


async def _drill(trial: Trial, fault: DrillFault) -> str:
    report: DrillReport | None = None
    async with trial.stage.system() as system:
        async for event in system.drills.run(fault):
            if isinstance(event, DrillReport):
                report = event
    _must(report is not None and report.passed, report.summary if report else "The drill did not end")
    assert report is not None
    return report.summary


async def _limit(trial: Trial) -> str:
    async with trial.stage.system() as system:
        await system.save_settings({"budget.daily_limit_usd": 0.01})
        try:
            await system.integration.generate_enhanced_response(EnhancedLLMRequest("Word " * 50, use_rag=False))
        except BudgetExceeded as exc:
            return f"refused before sending: {exc.what}"
        finally:
            await system.save_settings({"budget.daily_limit_usd": None})
    raise NotRight("A question over the limit was sent")


async def _kept_answer(trial: Trial) -> str:
    async with trial.stage.system() as system:
        asked = EnhancedLLMRequest("Is this kept?", use_rag=False)
        first = await system.integration.generate_enhanced_response(asked)
        again = await system.integration.generate_enhanced_response(asked)
    _must(not first.cached and again.cached, "The second time the answer was bought again")
    _must(again.content == first.content, "The kept answer is another one")
    return "the same question again was answered from the cache"


async def _offline(trial: Trial) -> str:
    from vpa_desktop.catalog import LLMProviderConfig
    from vpa_desktop.providers import build_provider
    from vpa_desktop.providers._http import HttpSession

    http = HttpSession(offline=True)
    config = LLMProviderConfig("openai_compatible", "m", provider_id="away", api_endpoint="https://192.0.2.1/v1")
    provider = build_provider(replace(config, max_retries=0), http)
    try:
        await provider.generate(LLMRequest((Message("user", "Nothing."),)))
    except PolicyRefused as exc:
        return f"refused before anything was sent: {exc.what}"
    finally:
        await provider.aclose()
        await http.aclose()
    raise NotRight("A request left although the program was offline")


async def _endpoint(trial: Trial) -> str:
    async with trial.stage.system() as system:
        return await trial.round_trip(system)


async def _drill_500(trial: Trial) -> str:
    return await _drill(trial, "500")


async def _drill_cut(trial: Trial) -> str:
    return await _drill(trial, "cut")


STEPS: Final[tuple[tuple[str, Callable[[Trial], Awaitable[str]]], ...]] = (
    ("Settings file", _settings),
    ("Database and migration", _database),
    ("Backup and restore", _restore),
    ("Audit", _audit),
    ("System keyring", _keyring),
    ("Encrypted key file", _key_file),
    ("Documents", _documents),
    ("Answer with a citation", _citation),
    ("Local model", _local_answer),
    ("Failover (500)", _drill_500),
    ("Failover (stream cut)", _drill_cut),
    ("Spending limit", _limit),
    ("Kept answer", _kept_answer),
    ("Offline", _offline),
    ("Local endpoint", _endpoint),
)
"""What is tried, in this order: later steps use the documents of earlier ones."""
