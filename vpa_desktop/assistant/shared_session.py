"""Makes provider objects over one HTTP session. Knows no settings and no keys."""

from __future__ import annotations

from typing import Any

from vpa_desktop.catalog import KINDS, LLMProviderConfig
from vpa_desktop.providers import build_provider
from vpa_desktop.providers.base import BaseLLMProvider


class SharedSession:
    """One HTTP session for all providers of a manager, made when the first of them needs it."""

    def __init__(self, offline: bool) -> None:
        self._offline = offline
        self._http: Any = None

    def build(self, config: LLMProviderConfig) -> BaseLLMProvider:
        if self._http is None and not KINDS[config.kind].is_local:
            from vpa_desktop.providers._http import HttpSession

            self._http = HttpSession(offline=self._offline)
        return build_provider(config, self._http)

    async def aclose(self) -> None:
        """Close the session, if it was made."""
        if self._http is not None:
            await self._http.aclose()
