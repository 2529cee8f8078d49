"""The child that holds the ONNX model. One thread a process and one text a run: small batches stay in the cache."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from vpa_desktop.rag.worker import Handler

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer


def make_handler(arguments: Sequence[str]) -> Handler:
    """Loads the model named by the arguments (model, tokenizer, most tokens, "mean" or "cls", "question" or "bulk")."""
    model, tokenizer, max_tokens, pooling, purpose = arguments
    if purpose == "bulk" and hasattr(os, "nice"):
        os.nice(5)  # the window and the answer go first
    encode = _encoder(Path(model), Path(tokenizer), int(max_tokens), pooling)

    def handle(payload: bytes) -> bytes:
        import numpy as np

        return np.stack([encode(text) for text in json.loads(payload)]).tobytes()

    return handle


def _encoder(model: Path, tokenizer_file: Path, max_tokens: int, pooling: str) -> Callable[[str], NDArray[np.float32]]:
    import numpy as np

    with ThreadPoolExecutor(1) as beside:
        reading = beside.submit(_tokenizer, tokenizer_file, max_tokens)
        session = _session(model)
        tokenizer = reading.result()
    taken = {each.name for each in session.get_inputs()}
    output = _output([each.name for each in session.get_outputs()])

    def encode(text: str) -> NDArray[np.float32]:
        ids = np.array([tokenizer.encode(text).ids], dtype=np.int64)
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        tokens = session.run([output], {name: each for name, each in inputs.items() if name in taken})[0][0]
        # Without padding the mean over the mask is the mean over all tokens.
        whole = tokens[0] if pooling == "cls" else tokens.mean(axis=0)
        vector: NDArray[np.float32] = (whole / max(float(np.linalg.norm(whole)), 1e-12)).astype(np.float32)
        return vector

    return encode


def _output(names: Sequence[str]) -> str:
    """The one with a vector for each token: exporters call it so, or put it first."""
    return next((name for name in names if name in ("last_hidden_state", "token_embeddings")), names[0])


def _tokenizer(file: Path, max_tokens: int) -> Tokenizer:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length=max_tokens)
    return tokenizer


def _session(model: Path) -> InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Every text has its own length, and planning memory anew for each costs a tenth.
    options.enable_mem_pattern = False
    # Adding and normalising in one step is the slower one on this runtime's processors: it costs a tenth.
    return onnxruntime.InferenceSession(
        str(model), options, providers=["CPUExecutionProvider"], disabled_optimizers=["SkipLayerNormFusion"]
    )
