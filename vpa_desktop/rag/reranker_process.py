"""The child that holds a cross-encoder: question and passages in, numbers out; a passage a run, while there is time."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from vpa_desktop.rag.worker import Handler

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MAX_TOKENS = 320
_THREADS = 2


def make_handler(arguments: Sequence[str]) -> Handler:
    """Loads the model named by the arguments (model, tokenizer)."""
    import onnxruntime
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(arguments[1])
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length=_MAX_TOKENS)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _THREADS
    options.log_severity_level = 3
    # Every pair has its own length, see the embedder.
    options.enable_mem_pattern = False
    session = onnxruntime.InferenceSession(
        arguments[0], options, providers=["CPUExecutionProvider"], disabled_optimizers=["SkipLayerNormFusion"]
    )
    wanted = {given.name for given in session.get_inputs()}

    def handle(payload: bytes) -> bytes:
        query, texts, within_s = json.loads(payload)
        scores: list[float] = []
        began = time.monotonic()
        for text in texts:
            if not has_time(len(scores), time.monotonic() - began, within_s):
                break
            scores.append(_score(session, wanted, tokenizer.encode(query, text)))
        return json.dumps(scores).encode()

    return handle


def has_time(done: int, took_s: float, within_s: float) -> bool:
    """True where one more can be read in time, as long as those before took on average; always for the first."""
    return done == 0 or took_s + took_s / done <= within_s


def _score(session: Any, wanted: set[str], encoding: Any) -> float:
    import numpy as np

    def row(values: list[int]) -> NDArray[np.int64]:
        return np.array([values], dtype=np.int64)

    inputs = {
        "input_ids": row(encoding.ids),
        "attention_mask": row(encoding.attention_mask),
        "token_type_ids": row(encoding.type_ids),
    }
    outputs = session.run(None, {name: value for name, value in inputs.items() if name in wanted})
    return float(outputs[0].reshape(-1)[-1])
