"""Reads a folder with an embedding model as sentence-transformers lays it out. Loads no model.

Where an ONNX file is in it, and nothing but the usual pooling follows the network, ONNX Runtime can run it: without
torch, in a fifth of the memory.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

Pooling = Literal["mean", "cls"]

FILES: Final = ("model_quantized.onnx", "model_int8.onnx", "model_qint8*.onnx", "model.onnx", "*.onnx")
"""Smallest first: eight bits rank as full precision does, and are read in a quarter of the time."""

LONGEST: Final = 512
"""Tokens of a text, where the folder does not say how many the model takes."""

MODULES: Final = ("Transformer", "Pooling", "Normalize")
PASSAGE_NAMES: Final = ("passage", "document")


class Prompts(NamedTuple):
    """What is put before a question and before a passage, as the model was trained with."""

    query: str = ""
    passage: str = ""


NO_PROMPTS: Final = Prompts()

FAMILIES: Final[Mapping[str, Prompts]] = {
    "e5-": Prompts("query: ", "passage: "),
    "nomic-embed-text": Prompts("search_query: ", "search_document: "),
    "bge-small-en": Prompts("Represent this sentence for searching relevant passages: "),
    "bge-base-en": Prompts("Represent this sentence for searching relevant passages: "),
    "bge-large-en": Prompts("Represent this sentence for searching relevant passages: "),
}
"""By a part of the name: what their makers say in words, and most of their folders do not."""


@dataclass(frozen=True, slots=True)
class OnnxModel:
    """A model that ONNX Runtime can run: its files, and what is done with what it gives."""

    file: Path
    tokenizer: Path
    dim: int
    max_tokens: int
    pooling: Pooling = "mean"
    prompts: Prompts = NO_PROMPTS


def prompts_of(name: str, declared: Mapping[str, Any]) -> Prompts:
    """Return the prompts a model declares, else those that its family is known to need.

    ``declared`` is ``prompts`` of config_sentence_transformers.json.
    """
    query = declared.get("query")
    passage = next((declared[key] for key in PASSAGE_NAMES if declared.get(key)), None)
    if query or passage:
        return Prompts(str(query or ""), str(passage or ""))
    known = Path(name).name.casefold()
    return next((prompts for part, prompts in FAMILIES.items() if part in known), NO_PROMPTS)


def onnx_model(choice: str) -> OnnxModel | None:
    """Return what is needed to run the model in a folder; None where there is none that ONNX Runtime can run here."""
    folder = Path(choice).expanduser()
    file, tokenizer = _onnx_file(folder), folder / "tokenizer.json"
    dim = _read(folder / "config.json").get("hidden_size")
    if file is None or not tokenizer.is_file() or not isinstance(dim, int):
        return None
    kinds = [str(module.get("type", "")).rpartition(".")[2] for module in _read_list(folder / "modules.json")]
    pooling = _pooling(_read(folder / "1_Pooling" / "config.json"))
    if pooling is None or any(kind not in MODULES for kind in kinds):
        return None
    declared = _read(folder / "config_sentence_transformers.json").get("prompts")
    prompts = prompts_of(folder.name, declared if isinstance(declared, dict) else {})
    return OnnxModel(file, tokenizer, dim, _max_tokens(folder), pooling, prompts)


def fingerprint(model: OnnxModel) -> str:
    """Return what changes whenever the vectors would: the file and what is done around it. Raises OSError."""
    with model.file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256")
    digest.update(repr((model.pooling, model.prompts, model.max_tokens)).encode())
    return digest.hexdigest()[:16]


def prompts_mark(prompts: Prompts) -> str:
    """Return what a model's identity says of its prompts; nothing where it has none."""
    return f":{hashlib.sha256(repr(prompts).encode()).hexdigest()[:8]}" if any(prompts) else ""


def _onnx_file(folder: Path) -> Path | None:
    for pattern in FILES:
        for place in (folder / "onnx", folder):
            if found := sorted(place.glob(pattern)):
                return found[0]
    return None


def _pooling(facts: Mapping[str, Any]) -> Pooling | None:
    """How the tokens' vectors become one; the mean where nothing is said, None where it is done another way."""
    said = {key.removeprefix("pooling_mode_"): value for key, value in facts.items() if key.startswith("pooling_mode_")}
    modes = {mode for mode, is_used in said.items() if is_used}
    if modes <= {"mean_tokens"}:
        return "mean"
    return "cls" if modes == {"cls_token"} else None


def _max_tokens(folder: Path) -> int:
    said = _read(folder / "sentence_bert_config.json").get("max_seq_length")
    room = _read(folder / "config.json").get("max_position_embeddings")
    return min([n for n in (said, room) if isinstance(n, int) and n > 0] or [LONGEST])


def _read(file: Path) -> dict[str, Any]:
    found = _json(file)
    return found if isinstance(found, dict) else {}


def _read_list(file: Path) -> list[dict[str, Any]]:
    found = _json(file)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _json(file: Path) -> Any:
    """What stands in a file; None where it is not there or is no JSON: the folder then says nothing about it."""
    try:
        return json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return None
