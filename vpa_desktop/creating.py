"""The two functions by which another program takes this one's parts into use: the manager alone, or everything.

Nothing of this program itself goes this way: the command line and the window call ``build_system``.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vpa_desktop.assistant.guarded_build import guarded
from vpa_desktop.assistant.integration import EnhancedLLMIntegration
from vpa_desktop.assistant.policy_desk import PolicyDesk
from vpa_desktop.assistant.provider_setup import ProviderSetup
from vpa_desktop.assistant.shared_session import SharedSession
from vpa_desktop.catalog import KINDS
from vpa_desktop.config import Settings, apply_environment, find_paths
from vpa_desktop.gateway.budget import MemoryLedger
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.old_config import convert_json, heed_old_variables, with_changes
from vpa_desktop.rag.index import VectorIndex
from vpa_desktop.rag.knowledge import KnowledgeBase
from vpa_desktop.security.vault import MemoryVault
from vpa_desktop.settings_file import load_settings
from vpa_desktop.system import build_system

MIGRATE = "vpa-desktop migrate legacy FILE writes it into settings.toml, and its keys into the vault"


def create_llm_provider_manager(settings: Settings | Mapping[str, Any] | None = None) -> LLMProviderManager:
    """Return a manager over the settings and the environment's keys, for use without a database.

    Keys of the vault are not read here: ``create_complete_vpa_system`` does that. ``settings`` may be the content of
    a JSON configuration of before, keys included; that is said in a DeprecationWarning.
    """
    policy = PolicyDesk(find_paths())
    keys: dict[str, str] = {}
    if isinstance(settings, Mapping):
        found = convert_json(settings)
        keys = found.keys
        _warn("A configuration of before was given.", *found.left, MIGRATE)
        settings = with_changes(Settings(), found.changes)
    elif settings is None:
        settings, said = heed_old_variables(load_settings(find_paths().settings_file).settings, os.environ)
        if said:
            _warn(*said)
        settings = apply_environment(settings)
    chosen = policy.applied(settings)
    manager = LLMProviderManager(chosen.routing, chosen.budget, ledger=MemoryLedger())
    manager.policy = policy.book
    session = SharedSession(chosen.offline)
    manager.closes_with = session.aclose
    build = guarded(session.build, lambda: policy.book)
    setup = ProviderSetup(manager, MemoryVault(), lambda: chosen, find_paths().settings_file, os.environ, build)
    for config in setup.register_at_once():
        if config.provider_id in keys or not KINDS[config.kind].needs_key:
            manager.register_provider(config.provider_id, build(config.with_key(keys.get(config.provider_id))))
    return manager


def _warn(*sentences: str) -> None:
    said = " ".join(f"{sentence.removesuffix('.')}." for sentence in sentences)
    warnings.warn(said, DeprecationWarning, stacklevel=3)


async def create_complete_vpa_system(
    home: Path | None = None,
) -> tuple[EnhancedLLMIntegration, KnowledgeBase, VectorIndex]:
    """Return the integration, the knowledge base and its vector index, wired together.

    ``await integration.aclose()`` closes all three.
    """
    system = await build_system(find_paths(home))
    system.integration.closes_with = system.aclose
    return system.integration, system.knowledge, await system.knowledge.vector_index()
