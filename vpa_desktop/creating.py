"""The two functions by which another program takes this one's parts into use: the manager alone, or everything.

Nothing of this program itself goes this way: the command line and the window call ``build_system``.
"""

from __future__ import annotations

import os
from pathlib import Path

from vpa_desktop.assistant.guarded_build import guarded
from vpa_desktop.assistant.integration import EnhancedLLMIntegration
from vpa_desktop.assistant.policy_desk import PolicyDesk
from vpa_desktop.assistant.provider_setup import ProviderSetup
from vpa_desktop.assistant.shared_session import SharedSession
from vpa_desktop.catalog import KINDS
from vpa_desktop.config import Settings, apply_environment, find_paths
from vpa_desktop.gateway.budget import MemoryLedger
from vpa_desktop.gateway.manager import LLMProviderManager
from vpa_desktop.rag.index import VectorIndex
from vpa_desktop.rag.knowledge import KnowledgeBase
from vpa_desktop.security.vault import MemoryVault
from vpa_desktop.settings_file import load_settings
from vpa_desktop.system import build_system


def create_llm_provider_manager(settings: Settings | None = None) -> LLMProviderManager:
    """Return a manager over the settings and the environment's keys, for use without a database.

    Keys of the vault are not read here: ``create_complete_vpa_system`` does that.
    """
    policy = PolicyDesk(find_paths())
    chosen = policy.applied(settings or apply_environment(load_settings(find_paths().settings_file).settings))
    manager = LLMProviderManager(chosen.routing, chosen.budget, ledger=MemoryLedger())
    manager.policy = policy.book
    session = SharedSession(chosen.offline)
    manager.closes_with = session.aclose
    build = guarded(session.build, lambda: policy.book)
    setup = ProviderSetup(manager, MemoryVault(), lambda: chosen, find_paths().settings_file, os.environ, build)
    for config in setup.register_at_once():
        if not KINDS[config.kind].needs_key:
            manager.register_provider(config.provider_id, build(config))
    return manager


async def create_complete_vpa_system(
    home: Path | None = None,
) -> tuple[EnhancedLLMIntegration, KnowledgeBase, VectorIndex]:
    """Return the integration, the knowledge base and its vector index, wired together.

    ``await integration.aclose()`` closes all three.
    """
    system = await build_system(find_paths(home))
    system.integration.closes_with = system.aclose
    return system.integration, system.knowledge, await system.knowledge.vector_index()
