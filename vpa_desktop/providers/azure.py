"""Azure OpenAI: OpenAI's two protocols at an address of the person's own, under names of his own. No protocol here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from vpa_desktop.catalog import split_address
from vpa_desktop.embedding import EmbeddingRequest
from vpa_desktop.errors import PolicyRefused, ProviderError
from vpa_desktop.messages import LLMRequest
from vpa_desktop.providers._dialect import Ask
from vpa_desktop.providers._embeddings import openai_body
from vpa_desktop.providers._failures import Peer, Problem
from vpa_desktop.providers.openai import OpenAIProvider

DATED: Final = re.compile(r"\d{4}-\d\d-\d\d")
"""An API version that is a date belongs to the classic surface; the v1 surface has none, or a word."""

BELOW_ROOT: Final = re.compile(r"/openai(?=/|$).*|/$", re.DOTALL)
TOKEN: Final = re.compile(r"eyJ[\w-]*\.[\w-]+\.[\w-]+")
"""A sign-in token of Entra; it goes where a key would, but as a bearer token."""


class AzureOpenAIProvider(OpenAIProvider):
    """A resource of Azure OpenAI or Foundry: the v1 surface, or the classic one where a dated API version is set."""

    is_openai = True

    @property
    def is_classic(self) -> bool:
        """True where every deployment has a path of its own and the API version is a date."""
        return DATED.match(self.config.api_version or "") is not None

    def deployment(self, model: str) -> str:
        """The deployment asked for a model: the configured one for the configured model, else one of that name."""
        configured = self.config.deployment
        return configured if configured and model in ("", self.model) else model

    def family(self, model: str) -> str:
        """The configured model says more than the name of its deployment."""
        return self.model if self.model and model == self.config.deployment else model

    def bases(self) -> Sequence[str]:
        """The resource's address, however much of it was pasted, with the surface's path."""
        parts = split_address(self.config.endpoint)
        if not parts.hostname:
            raise self._missing(
                "There is no endpoint", "Azure answers at an address of your own resource", "the endpoint"
            )
        path = parts.path.rstrip("/")
        if not self.is_classic and path.endswith("/v1"):
            return [f"{parts.scheme}://{parts.netloc}{path}"]
        root = f"{parts.scheme}://{parts.netloc}{BELOW_ROOT.sub('', parts.path)}"
        return [root + ("/openai" if self.is_classic else "/openai/v1")]

    def headers(self) -> Mapping[str, str]:
        """The key under Azure's own name, or a sign-in token as a bearer token."""
        key = self.config.api_key or ""
        headers = {"Content-Type": "application/json"}
        if TOKEN.fullmatch(key):
            headers["Authorization"] = f"Bearer {key}"
        elif key:
            headers["api-key"] = key
        return headers

    def asks(self, request: LLMRequest, model: str) -> Sequence[Ask]:
        """The same ways as at OpenAI, on this surface; the classic one has only Chat Completions."""
        name = self.deployment(model)
        if not name:
            raise self._missing("No deployment is chosen", "Azure answers by the name of a deployment", "its name")
        if self.is_classic:
            path = f"/deployments/{quote(name, safe='')}{self.path()}"
            return [Ask(self._versioned(path), self.body(request, name))]
        return [Ask(self._versioned(ask.path), ask.body) for ask in super().asks(request, name)]

    def embedding_ask(self, request: EmbeddingRequest) -> Ask:
        """The same as at OpenAI, by the name of a deployment: the model's name is taken for it."""
        path = f"/deployments/{quote(request.model, safe='')}/embeddings" if self.is_classic else "/embeddings"
        return Ask(self._versioned(path), openai_body(request, request.model, encoded=True))

    def counts(self, request: LLMRequest, model: str) -> Sequence[Ask]:
        """Responses counts, where the surface has it; nothing counts for Chat Completions."""
        if self.is_classic or self.config.protocol == "chat":
            return []
        found = super().counts(request, self.deployment(model))
        return [Ask(self._versioned(ask.path), ask.body) for ask in found if ask.path.startswith("/responses")]

    async def get_json(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Ask for a list or the like; raises ProviderError."""
        return await super().get_json(self._versioned(path), body)

    def fail(self, peer: Peer, problem: Problem) -> ProviderError:
        """The error to raise; Azure's own reasons for 401 and 404 say where to look."""
        error = super().fail(peer, problem)
        if error.error_class == "auth" and peer.has_key:
            error.what = f"{peer.name} refused the key, or the endpoint is another resource's"
            error.next_step = (
                "Check the key in Settings, Keys, and the endpoint in Settings, Providers: both give this answer"
            )
        elif problem.code == "DeploymentNotFound":
            error.what = f'{peer.name} has no deployment "{self.deployment(peer.model)}"'
            error.next_step = "Check its name in Settings, Providers; a new one takes some minutes to appear"
        elif error.error_class == "not_found" and not problem.is_about_model(peer.model):
            error.next_step = "Check the endpoint and the API version in Settings, Providers"
        return error

    def _versioned(self, path: str) -> str:
        version = self.config.api_version or ""
        if not self.is_classic and version.lower() in ("", "v1"):
            return path
        return f"{path}?api-version={quote(version)}"

    def _missing(self, what: str, why: str, wanted: str) -> PolicyRefused:
        return PolicyRefused(
            f"{what} for {self.peer(self.model).name}", why, f"Enter {wanted} in Settings, Providers", rule="endpoint"
        )
