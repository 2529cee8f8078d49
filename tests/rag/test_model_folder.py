"""An embedding model of the person's own in a folder, run without torch where there is an ONNX file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from vpa_desktop.config import resource_path
from vpa_desktop.errors import KnowledgeError
from vpa_desktop.rag.embedder import FolderEmbedder, OnnxEmbedder
from vpa_desktop.rag.model_folder import onnx_model, prompts_of
from vpa_desktop.rag.sentence_embedder import open_embedder

np = pytest.importorskip("numpy")

QUESTION = "Where does the cat sleep?"
PASSAGES = ["A cat sleeps on the sofa.", "Invoice 12 is due in March."]


def folder_of(place: Path, *, pooling: str = "mean_tokens", modules: tuple[str, ...] = ()) -> Path:
    """The model that comes with the program, laid out as on the hub."""
    (place / "onnx").mkdir(parents=True)
    shutil.copy(resource_path("models", "all-MiniLM-L6-v2-int8.onnx"), place / "onnx" / "model_quantized.onnx")
    shutil.copy(resource_path("models", "tokenizer.json"), place / "tokenizer.json")
    (place / "config.json").write_text(json.dumps({"hidden_size": 384, "max_position_embeddings": 512}))
    (place / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 256}))
    (place / "1_Pooling").mkdir()
    facts = {f"pooling_mode_{mode}": mode == pooling for mode in ("mean_tokens", "cls_token", "max_tokens")}
    (place / "1_Pooling" / "config.json").write_text(json.dumps(facts))
    kinds = modules or ("Transformer", "Pooling", "Normalize")
    (place / "modules.json").write_text(
        json.dumps([{"idx": n, "type": f"sentence_transformers.models.{kind}"} for n, kind in enumerate(kinds)])
    )
    return place


async def test_a_folder_gives_the_vectors_of_its_model(tmp_path: Path) -> None:
    chosen, default = await open_embedder(str(folder_of(tmp_path / "mine"))), OnnxEmbedder()
    try:
        assert isinstance(chosen, FolderEmbedder)
        assert (chosen.dim, chosen.max_tokens) == (384, 256)
        assert not chosen.is_latin_only
        assert np.allclose(await chosen.embed_passages(PASSAGES), await default.embed_passages(PASSAGES), atol=1e-5)
        assert chosen.model_id != default.model_id
    finally:
        await chosen.aclose()
        await default.aclose()


async def test_what_the_model_was_trained_with_is_put_before_questions_and_passages(tmp_path: Path) -> None:
    chosen, default = await open_embedder(str(folder_of(tmp_path / "multilingual-e5-mine"))), OnnxEmbedder()
    try:
        asked, meant = await chosen.embed_query(QUESTION), await default.embed_query(f"query: {QUESTION}")
        assert np.allclose(asked, meant, atol=1e-5)
        rows = await default.embed_passages([f"passage: {text}" for text in PASSAGES])
        assert np.allclose(await chosen.embed_passages(PASSAGES), rows, atol=1e-5)
    finally:
        await chosen.aclose()
        await default.aclose()


async def test_the_first_token_stands_for_the_text_where_the_folder_says_so(tmp_path: Path) -> None:
    first, mean = await open_embedder(str(folder_of(tmp_path / "cls", pooling="cls_token"))), OnnxEmbedder()
    try:
        assert float((await first.embed_query(QUESTION)) @ (await mean.embed_query(QUESTION))) < 0.99
    finally:
        await first.aclose()
        await mean.aclose()


@pytest.mark.parametrize(
    ("pooling", "modules"), [("max_tokens", ()), ("mean_tokens", ("Transformer", "Pooling", "Dense"))]
)
def test_what_onnx_runtime_cannot_finish_is_left_to_sentence_transformers(
    tmp_path: Path, pooling: str, modules: tuple[str, ...]
) -> None:
    assert onnx_model(str(folder_of(tmp_path / "other", pooling=pooling, modules=modules))) is None


async def test_a_damaged_model_is_a_sentence(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "broken")
    (folder / "onnx" / "model_quantized.onnx").write_bytes(b"no model")
    embedder = await open_embedder(str(folder))
    with pytest.raises(KnowledgeError, match="embedding model"):
        await embedder.embed_query(QUESTION)
    await embedder.aclose()


async def test_another_way_to_make_vectors_is_another_model(tmp_path: Path) -> None:
    ids = set()
    for name, pooling in (("a/plain", "mean_tokens"), ("b/plain", "cls_token"), ("c/plain", "mean_tokens")):
        folder = folder_of(tmp_path / name, pooling=pooling)
        if name.startswith("c"):
            (folder / "config_sentence_transformers.json").write_text(json.dumps({"prompts": {"query": "q: "}}))
        embedder = await open_embedder(str(folder))
        ids.add(embedder.model_id)
        await embedder.aclose()
    assert len(ids) == 3


def test_declared_prompts_win_over_those_of_the_family() -> None:
    assert prompts_of("e5-mine", {"query": "q: ", "document": "d: "}) == ("q: ", "d: ")
    assert prompts_of("/models/multilingual-e5-small", {}) == ("query: ", "passage: ")
    assert prompts_of("all-MiniLM-L6-v2", {}) == ("", "")
