"""What an Ollama server says about its models, and the window to ask for. No network."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from vpa_desktop.catalog import LLMProviderConfig, ModelInfo, is_loopback, split_address
from vpa_desktop.providers._values import dict_of, dicts_of, list_of, text_of
from vpa_desktop.providers.openai_compatible import count

WINDOW: Final = 8_192
SMALL_WINDOW: Final = 4_096
LARGE_WINDOW: Final = 16_384
GIB: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class ModelTag:
    """A model in a server's list; the digest changes with its content."""

    name: str
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a server says about one model.

    ``num_ctx`` is the window its Modelfile asks for, ``levels`` is True where it thinks in degrees and not on or off,
    and ``elsewhere`` where it runs on ollama.com and not in this server's memory.
    """

    info: ModelInfo
    num_ctx: int | None = None
    levels: bool = False
    elsewhere: bool = False


def read_tags(payload: Any) -> list[ModelTag]:
    """The models in the answer of /api/tags."""
    rows = dicts_of(dict_of(payload).get("models"))
    tags = (
        ModelTag(text_of(row.get("model")) or text_of(row.get("name")) or "", str(row.get("digest"))) for row in rows
    )
    return [tag for tag in tags if tag.name]


def read_shown(name: str, payload: Any) -> Shown:
    """The answer of /api/show; older servers do not say what a model can do."""
    shown = dict_of(payload)
    facts = dict_of(shown.get("model_info"))
    lengths = (count(value) for key, value in facts.items() if str(key).endswith(".context_length"))
    abilities = shown.get("capabilities")
    can: Mapping[str, bool | None] = {
        ability: ability in list_of(abilities) if isinstance(abilities, list) else None
        for ability in ("completion", "vision", "tools", "thinking")
    }
    asked = re.search(r"^num_ctx\s+(\d+)", text_of(shown.get("parameters")) or "", re.MULTILINE)
    family = str(dict_of(shown.get("details")).get("family")).replace("-", "")
    info = ModelInfo(
        name,
        next((length for length in lengths if length), None),
        images=can["vision"],
        tools=can["tools"],
        reasoning=can["thinking"],
        chat=can["completion"],
    )
    return Shown(
        info,
        num_ctx=int(asked[1]) if asked else None,
        levels=family.startswith("gptoss"),
        elsewhere=bool(shown.get("remote_host")),
    )


def window(config: LLMProviderConfig, shown: Shown | None) -> int:
    """How many tokens to ask a model to keep: the person's choice, the Modelfile's, or what memory allows."""
    if config.context_tokens:
        return config.context_tokens
    if shown is not None and shown.num_ctx:
        return shown.num_ctx
    own = shown.info.context_tokens if shown is not None else None
    cloud = (split_address(config.endpoint).hostname or "").endswith("ollama.com")
    if own and (cloud or (shown is not None and shown.elsewhere)):
        return own
    affordable = _affordable() if is_loopback(config.endpoint) else WINDOW
    return min(own, affordable) if own else affordable


def _affordable() -> int:
    """A window whose cache this machine's memory can hold beside a model of the usual size."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows does not say it this way
        return WINDOW
    if memory < 8 * GIB:
        return SMALL_WINDOW
    return LARGE_WINDOW if memory >= 30 * GIB else WINDOW
