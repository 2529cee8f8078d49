"""The child that holds a cross-encoder: question and passage in, one number out; one passage a run."""

from __future__ import annotations

import json
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
    session = onnxruntime.InferenceSession(arguments[0], options, providers=["CPUExecutionProvider"])
    wanted = {given.name for given in session.get_inputs()}

    def handle(payload: bytes) -> bytes:
        query, texts = json.loads(payload)
        return json.dumps([_score(session, wanted, tokenizer.encode(query, text)) for text in texts]).encode()

    return handle


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
