"""Wires the Qt-free half into one object that can be closed: settings, database, keys, gateway, documents, assistant.

``build_system`` is the composition root of the command line and of the window alike; ``System`` is what the
window's port (``ui.ports.Backend``) describes. Nothing here loads a model, an index or the network at start.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vpa_desktop.analytics import Dashboard
from vpa_desktop.assistant.choices import route_choices_of
from vpa_desktop.assistant.drill_desk import DrillDesk
from vpa_desktop.assistant.embedding_calls import EmbeddingCalls
from vpa_desktop.assistant.embedding_desk import EmbeddingDesk
from vpa_desktop.assistant.embedding_keeper import EmbeddingKeeper
from vpa_desktop.assistant.guarded_build import guarded
from vpa_desktop.assistant.health_keeper import HealthKeeper
from vpa_desktop.assistant.integration import EnhancedLLMIntegration
from vpa_desktop.assistant.key_desk import KeyDesk
from vpa_desktop.assistant.model_catalogue import ModelCatalogue
from vpa_desktop.assistant.policy_desk import LOOKS_EVERY_S, PolicyDesk
from vpa_desktop.assistant.provider_health import HealthDesk
from vpa_desktop.assistant.provider_setup import ProviderSetup
from vpa_desktop.assistant.shared_session import SharedSession
from vpa_desktop.assistant.stats import build_dashboard
from vpa_desktop.assistant.update_notice import UpdateNotice
from vpa_desktop.catalog import KINDS, ModelInfo, is_demonstration
from vpa_desktop.config import Paths, Settings, apply_environment, find_paths
from vpa_desktop.errors import SecretError
from vpa_desktop.evidence import Feedback
from vpa_desktop.gateway.admission import admit
from vpa_desktop.gateway.answer_desk import AnswerDesk
from vpa_desktop.gateway.budget import local_now
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.messages import EnhancedLLMRequest, ImageData, LLMRequest, TurnEvent
from vpa_desktop.old_config import heed_old_variables
from vpa_desktop.providers import CLASSES
from vpa_desktop.providers.base import BaseLLMProvider
from vpa_desktop.rag.embedder import Embedder
from vpa_desktop.rag.golden import GoldenDesk
from vpa_desktop.rag.knowledge import KnowledgeBase
from vpa_desktop.rag.pace import Pace
from vpa_desktop.rag.viewer import DocumentViewer
from vpa_desktop.rag.watch import FolderWatch, Tell
from vpa_desktop.records import (
    ConversationRecord,
    DocumentRecord,
    FollowedFolder,
    IngestProgress,
    IngestReport,
    MessageRecord,
    ModelList,
    ProviderDraft,
    ProviderStatus,
    ProviderVerdict,
    RouteChoice,
    SearchReport,
    SystemStatus,
)
from vpa_desktop.security.audit import AuditLog
from vpa_desktop.security.vault import KeyVault, open_vault
from vpa_desktop.settings_file import LoadedSettings, load_settings, save_changes
from vpa_desktop.storage.conversations import ConversationStore
from vpa_desktop.storage.daily_backup import keep_backed_up
from vpa_desktop.storage.database import Database
from vpa_desktop.storage.golden import GoldenStore
from vpa_desktop.storage.health import HealthStore
from vpa_desktop.storage.usage import UsageLedger, last_used_keys

if TYPE_CHECKING:
    from vpa_desktop.assistant.archive_desk import ArchiveDesk


class System:
    """The program without a window. Made by ``build_system``; ``aclose`` gives everything back."""

    def __init__(
        self,
        paths: Paths,
        loaded: LoadedSettings,
        environ: Mapping[str, str],
        db: Database,
        vault: KeyVault,
        policy: PolicyDesk,
    ) -> None:
        self.paths = paths
        self.db = db
        self.vault = vault
        self.policy = policy
        self._environ = environ
        self._settings = self._in_force(loaded)
        self._session = SharedSession(self._settings.offline)
        self.conversations = ConversationStore(db)
        self.manager = LLMProviderManager(self._settings.routing, self._settings.budget, ledger=UsageLedger(db))
        self.manager.policy, self.manager.on_refusal = policy.book, policy.note_refusal
        build = guarded(self._session.build, lambda: policy.book)
        self.setup = ProviderSetup(self.manager, vault, lambda: self._settings, paths.settings_file, environ, build)
        if not db.read_only:
            self.setup.finder.store.noted = AuditLog(db).append_anyway
        self.key_desk = KeyDesk(self.setup, partial(last_used_keys, db))
        self.key_desk.changed = self._reload
        self.catalogue = ModelCatalogue(paths.model_lists, self.setup.configs, self.manager.get_provider)
        self.manager.model_info = self.catalogue.info
        pace = Pace(mind_battery=lambda: self._settings.rag.mind_battery)
        self._audit = None if db.read_only else AuditLog(db).append_anyway
        calls = EmbeddingCalls(self.manager, self.setup.configs, lambda: self._settings, self.keys_ready, self._audit)
        self.embedding = EmbeddingDesk(
            calls, self.catalogue, db, lambda: self._settings, self.save_settings, self._audit
        )
        self.knowledge = KnowledgeBase(
            db,
            paths.index,
            embedder=self._embedder,
            settings=self._settings.rag,
            pace=pace,
            reopen=self.embedding.reopen,
            private=lambda: self._settings.privacy.local_only_collections,
        )
        self._document_listeners: list[Tell] = []
        self.viewer = DocumentViewer(db)
        self.golden = GoldenDesk(self.knowledge, GoldenStore(db))
        self.knowledge.changed = self.golden.rerun
        self.desk = AnswerDesk.over(db, self.manager, lambda: self._settings.cache)
        self.kept_answers = self.desk.cache
        self.integration = EnhancedLLMIntegration(
            self.manager,
            lambda: self._settings,
            conversations=None if db.read_only else self.conversations,
            knowledge=self.knowledge,
            desk=self.desk,
            ready=self.keys_ready,
        )
        self._keeper = HealthKeeper(self.manager, None if db.read_only else HealthStore(db))
        self.health = HealthDesk(self.manager, HealthStore(db))
        self.drills = DrillDesk(self.setup, lambda: self._settings, self.keys_ready, self.manager.get_provider)
        self._embedding_place = self.embedding.place()
        self._embedding_keeper = EmbeddingKeeper(self._make_up_vectors, self.setup.notices)
        self.knowledge.keeping.stopped = self._embedding_keeper.stopped
        self._keys: asyncio.Task[None] | None = None
        self._chores: list[asyncio.Task[None]] = []
        self._vault_look: asyncio.Task[None] | None = None

    def _in_force(self, loaded: LoadedSettings) -> Settings:
        """The settings with what the environment and then what the policies say over them."""
        chosen, old_names = heed_old_variables(loaded.settings, self._environ)
        settings = self.policy.applied(apply_environment(chosen, self._environ))
        self.problems = (*loaded.problems, *old_names, *self.policy.problems)
        return settings

    async def _embedder(self) -> Embedder:
        """The embedder the settings name, made at the first document or question."""
        return await self.embedding.open(self._settings.rag.embedding_model)

    async def start(self, *, background: bool) -> None:
        """Register the providers; keys of the vault follow in the background.

        ``background`` also begins what a program that stays open does beside: a daily backup, vectors left undone.
        """
        await self.conversations.recover()
        waiting = self.setup.register_at_once()
        if waiting:
            self._keys = asyncio.create_task(self.setup.register_from_vault(waiting), name="keys")

        if background:
            self._chores.append(asyncio.create_task(self.policy.watch(self._reload), name="watch the policy"))
        if background and not self.db.read_only:
            self._chores += [
                asyncio.create_task(self._keeper.run(), name="providers' health"),
                asyncio.create_task(keep_backed_up(self.db, self.paths.backups, self.setup.notices), name="backup"),
                asyncio.create_task(self._keep_documents(), name="keep documents up to date"),
                asyncio.create_task(self._embedding_keeper.run(), name="make the vectors that are wanting"),
                asyncio.create_task(self.kept_answers.sweep(), name="sweep kept answers"),
                asyncio.create_task(self._update_notice().run(), name="look for a newer release"),
            ]
            self._vault_look = asyncio.create_task(self._look_for_vault(), name="look for the vault")
            self._chores.append(self._vault_look)

    def stay_open(self, looks_every_s: float = LOOKS_EVERY_S) -> None:
        """Look after providers that are left alone, and after rules and limits that others change, without a window."""
        watch = self.policy.watch(self._reload, looks_every_s, self.paths.settings_file)
        self._chores += [
            asyncio.create_task(self._keeper.run(), name="providers' health"),
            asyncio.create_task(watch, name="watch the rules"),
        ]

    async def _look_for_vault(self) -> None:
        """Find out whether there is a place for keys, before the person relies on it.

        Where no provider needs a key of it, it is not opened: that may ask for a password at the first start.
        """
        try:
            await (self.vault.look() if self._keys is None else self.vault.ids())
        except SecretError as exc:
            self.setup.notices["vault"] = str(exc)

    async def _keep_documents(self) -> None:
        """Make the vectors that a kill left undone, then follow the folders; words can be searched meanwhile."""
        await self._embedding_keeper.once()
        await self.folder_watch().run()

    async def _make_up_vectors(self) -> int:
        """``KnowledgeBase.resume``, told to whoever hears of documents."""
        done, last = 0, None
        async with aclosing(self.knowledge.make_up(background=True)) as steps:
            async for last in steps:
                done = last.chunks_done
                self._tell_of_documents(last)
        if last is not None:
            self._tell_of_documents(IngestReport(0, 0, 0, (), done, last.elapsed_s))
        return done

    def folder_watch(self) -> FolderWatch:
        """Return what keeps followed folders up to date while it runs."""

        def note(sentence: str) -> None:
            self.setup.notices.pop("folders", None)
            if sentence:
                self.setup.notices["folders"] = f"Your folders are not up to date. {sentence}"

        return FolderWatch(self.knowledge.keeping, self.knowledge.folders, self._tell_of_documents, note)

    def _tell_of_documents(self, step: IngestProgress | IngestReport) -> None:
        for tell in self._document_listeners:
            tell(step)

    def _update_notice(self) -> UpdateNotice:
        note = AuditLog(self.db).append
        notices, book = self.setup.notices, self.policy
        return UpdateNotice(lambda: self._settings, self.paths.update_file, notices, lambda: book.book, note)

    async def keys_ready(self) -> None:
        """Wait until the vault has given its keys, or its deadline has passed, and what is known of models is read."""
        await self.catalogue.load()
        if self._keys is not None:
            await asyncio.shield(self._keys)
        await self._keeper.load()

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._settings

    # Conversations

    @property
    def archive(self) -> ArchiveDesk:
        """Conversations as files; loaded when somebody wants one."""
        from vpa_desktop.assistant.archive_desk import ArchiveDesk

        return ArchiveDesk(self.db)

    async def stream_turn(self, request: EnhancedLLMRequest) -> AsyncGenerator[TurnEvent, None]:
        """Answer one question; see ``EnhancedLLMIntegration.stream_turn``. Work on documents waits meanwhile."""
        with self.knowledge.pace.question():
            async with aclosing(self.integration.stream_turn(request)) as events:
                async for event in events:
                    yield event

    async def list_conversations(self, words: str = "") -> list[ConversationRecord]:
        """Return conversations, last changed first; with ``words`` those that contain them."""
        return await self.conversations.list(words)

    async def messages(self, conversation_id: str) -> list[MessageRecord]:
        """Return a conversation's messages in order."""
        return await self.conversations.messages(conversation_id)

    async def pictures(self, message_id: str) -> tuple[ImageData, ...]:
        """Return the pictures that a message was sent with."""
        return await self.conversations.pictures(message_id)

    async def rename_conversation(self, conversation_id: str, title: str) -> None:
        """Give a conversation another title."""
        await self.conversations.rename(conversation_id, title)

    async def delete_conversation(self, conversation_id: str) -> None:
        """Delete a conversation with its messages."""
        await self.conversations.delete(conversation_id)

    async def give_feedback(self, message_id: str, feedback: Feedback) -> None:
        """Note what the person says of an answer."""
        await self.conversations.give_feedback(message_id, feedback)

    # Providers and keys

    async def route_choices(self) -> list[RouteChoice]:
        """Return what the picker offers: choose for me, then each provider's own model and the others it is known for.

        Asks no provider; ``models`` does.
        """
        await self.keys_ready()
        first = [self._first_asked(p) for p in self.manager.route(LLMRequest(()))[:1]]
        note = "By your routing settings"
        choices = [RouteChoice("", "", "Automatic", False, True, note, first[0] if first else None)]
        for status in await self.setup.list_providers():
            ready = status.enabled and self.manager.get_provider(status.id) is not None
            listed = (await self.catalogue.known(status.id)).models
            choices += route_choices_of(self.setup.configs()[status.id], status, listed, ready)
        return self.policy.marked_choices(choices, self.setup.configs())

    def _first_asked(self, provider: BaseLLMProvider) -> ModelInfo:
        return self.catalogue.info(provider.config, self._settings.default_model or provider.model)

    async def models(self, provider_id: str, refresh: bool = False) -> ModelList:
        """Return the models a provider offers, at most a day old where it can be reached; raises ConfigError.

        ``refresh`` asks the provider now.
        """
        await self.keys_ready()
        self.setup.must_exist(provider_id)
        return await self.catalogue.models(provider_id, refresh)

    async def list_providers(self) -> list[ProviderStatus]:
        """Return every provider as settings show it."""
        await self.keys_ready()
        configs = self.setup.configs()
        found = self.policy.marked_providers(await self.setup.list_providers(), configs)
        return [
            s if s.facts or not s.model else replace(s, facts=await self.catalogue.own(configs[s.id])) for s in found
        ]

    async def save_provider(self, draft: ProviderDraft) -> None:
        """Add or change a provider; it counts at once."""
        await self.setup.save(draft)
        await self._reload()

    async def remove_provider(self, provider_id: str) -> None:
        """Remove a provider and its key."""
        await self.setup.remove(provider_id)
        await self._reload()

    async def test_provider(self, draft: ProviderDraft, *, ask: bool = True) -> ProviderVerdict:
        """Say in words whether a provider answers; without ``ask`` only its models are asked for."""
        return await self.setup.test(draft, ask=ask)

    @property
    def provider_kinds(self) -> tuple[str, ...]:
        """The kinds that can be added."""
        return tuple(kind for kind in KINDS if kind in CLASSES)

    async def set_provider_order(self, provider_ids: Sequence[str]) -> list[str]:
        """Ask providers in this order, those not named after them; returns the whole order."""
        order = self.setup.set_order(provider_ids)
        await self._reload()
        return order

    # Documents

    def add_documents(
        self, paths: Sequence[Path], collection: str = ""
    ) -> AsyncGenerator[IngestProgress | IngestReport, None]:
        """Add files and folders; yields progress and one report at the end."""
        return self.knowledge.add_paths(paths, collection)

    def hear_of_documents(self, tell: Tell) -> None:
        """Call ``tell`` with the progress and the results of following folders, from now on."""
        self._document_listeners.append(tell)

    def pause_documents(self, paused: bool) -> None:
        """Hold all work on documents, or let it go on."""
        if paused:
            self.knowledge.pace.pause()
        else:
            self.knowledge.pace.go_on()

    async def list_folders(self) -> list[FollowedFolder]:
        """Return the folders that are followed."""
        return await self.knowledge.folders()

    async def forget_folder(self, path: str) -> None:
        """Follow a folder no longer; its documents stay."""
        await self.knowledge.forget_folder(Path(path))

    async def list_documents(self, collection: str | None = None) -> list[DocumentRecord]:
        """Return the documents, of one collection or all."""
        return await self.knowledge.list_documents(collection)

    async def count_passages(self, collection: str | None = None) -> int:
        """Return how many different passages a collection has, or all documents together: each text counts once."""
        return await (self.knowledge.count() if collection is None else self.knowledge.count_in(collection))

    async def list_collections(self) -> list[str]:
        """Return the collections' names."""
        return await self.knowledge.collections()

    async def remove_documents(self, document_ids: Sequence[str]) -> None:
        """Take documents out of the knowledge base; the files stay where they are."""
        await self.knowledge.remove(document_ids)

    async def search_documents(
        self, query: str, top_k: int | None = None, collections: Sequence[str] = ()
    ) -> SearchReport:
        """Find passages, in some collections or in all."""
        return await self.knowledge.search_knowledge(query, top_k, collections)

    # Figures and settings

    async def dashboard(self) -> Dashboard:
        """Return what the dashboard draws."""
        return await build_dashboard(self.manager, self.conversations, local_now)

    async def status(self) -> SystemStatus:
        """Return what the status line says; whether there is a keyring is waited for a second at most."""
        if self._vault_look is not None:
            await asyncio.wait({self._vault_look}, timeout=1.0)
        state = await self.manager.budget.state()
        notices = (*self.problems, *self.db.notices, *self.setup.notices.values(), *self.manager.budget.notices)
        return SystemStatus(
            route=self._route_in_words(),
            key_place="none" if "vault" in self.setup.notices else self.vault.name,
            passages=await self.knowledge.count(),
            spent_today_usd=state.spent_today_usd,
            limit_usd=state.daily_limit_usd,
            offline=self._settings.offline,
            notices=tuple(dict.fromkeys(notices)),
            spent_month_usd=state.spent_month_usd,
            monthly_limit_usd=state.monthly_limit_usd,
        )

    def _route_in_words(self) -> str:
        route = self.manager.stops(LLMRequest(()))
        if not route:
            return "No provider"
        first, asked = route[0], admit(self.manager, route).stops[0]
        name = "Local demonstration model" if is_demonstration(asked.provider.config) else asked.provider_id
        return name if asked is first else f"{name} ({first.provider_id} does not work now)"

    async def save_settings(self, changes: Mapping[str, Any]) -> None:
        """Write settings by dotted key; they count at once."""
        save_changes(self.paths.settings_file, {**self._kinds_for(changes), **changes})
        await self._reload()

    def _kinds_for(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """The kinds of providers that are changed but stand in no file yet (the local one, or one of a variable)."""
        configs = self.setup.configs()
        ids = {key.split(".")[1] for key in changes if key.startswith("providers.") and key.count(".") == 2}
        return {
            f"providers.{i}.kind": configs[i].kind for i in ids if i in configs and i not in self._settings.providers
        }

    async def _reload(self) -> None:
        before = self.policy.book
        self._settings = self._in_force(load_settings(self.paths.settings_file))
        self.manager.policy = self.policy.book
        self.manager.routing = self._settings.routing
        self.manager.standings.adopt()
        self.manager.budget.settings = self._settings.budget
        await self.keys_ready()
        await self.setup.refresh()
        if self.policy.book != before:
            self.setup.rebuild()
        place, self._embedding_place = self._embedding_place, self.embedding.place()
        await self.knowledge.use(self._settings.rag, anew=place != self._embedding_place)
        self._embedding_keeper.wake()

    async def aclose(self) -> None:
        """Close providers, index and database; safe to call twice."""
        for task in [self._keys, *self._chores]:
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        async with AsyncExitStack() as last_to_first:  # each is closed, whatever happens to the others
            last_to_first.push_async_callback(self.db.aclose)
            last_to_first.push_async_callback(self.knowledge.aclose)
            last_to_first.push_async_callback(self.viewer.aclose)
            last_to_first.push_async_callback(self._session.aclose)
            last_to_first.push_async_callback(self.manager.aclose)
            last_to_first.push_async_callback(self._keeper.aclose)
            last_to_first.push_async_callback(self.desk.aclose)


async def build_system(
    paths: Paths | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    vault: KeyVault | None = None,
    background: bool = False,
    system_policy: Path | None = None,
) -> System:
    """Open everything and return it; raises ConfigError, SecretError, StorageError with what to do next.

    ``system_policy`` stands in the place of the administrator's policy file.
    """
    environ = os.environ if environ is None else environ
    paths = paths or find_paths(environ=environ)
    paths.make()
    loaded = load_settings(paths.settings_file)
    settings = apply_environment(loaded.settings, environ)
    db = await Database.open(paths.database, backups=paths.backups)
    try:
        chosen = vault or open_vault(
            settings.vault, file=paths.key_file, passphrase=environ.get("VPA_VAULT_PASSPHRASE")
        )
        system = System(paths, loaded, environ, db, chosen, PolicyDesk(paths, db, system_policy))
        await system.start(background=background)
    except BaseException:
        await db.aclose()
        raise
    return system


__all__ = ["System", "build_system"]
