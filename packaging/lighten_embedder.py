"""Takes out of the embedding model what does nothing when one text is read at a time, and checks that nothing changed.

    pip install onnx onnxruntime
    python packaging/lighten_embedder.py FILE.onnx INTO.onnx

The program never pads: a text is read alone, and its mask is all ones. The mask, the search for rows that are masked
whole (NaN after the softmax) and shapes computed anew in each layer are then work without an effect; on a text of 190
tokens they are a third of the time. ``make_embedder`` does the same to what it makes. Not part of the program.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

MASK = "attention_mask"
UNFUSED = ["SkipLayerNormFusion"]
"""As the program runs it, see ``vpa_desktop.rag.embedder_process``."""


def main() -> None:
    """Reads the arguments, writes the file and compares it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("into", type=Path)
    arguments = parser.parse_args()
    lighten(arguments.file, arguments.into)
    if not is_same(arguments.file, arguments.into):
        arguments.into.unlink()
        sys.exit("error: The lighter file gives other vectors. It was not kept.")


def lighten(file: Path, into: Path) -> None:
    """Writes a model without its mask and with its shapes written down."""
    import onnx  # type: ignore[import-not-found, unused-ignore]

    model = onnx.load(str(file))
    before = len(model.graph.node)
    without_mask(model)
    with_plain_shapes(model)
    without_unused(model)
    onnx.save(model, str(into))
    print(f"{file.name}: {before} nodes, {into.name}: {len(model.graph.node)}")


def without_mask(model: Any) -> None:
    """Leads the scores straight into the softmax, and what comes out of it straight on."""
    made = _makers(model)
    for softmax in [node for node in model.graph.node if node.op_type == "Softmax"]:
        masked = made.get(softmax.input[0])
        if masked is not None and masked.op_type == "Add":
            scores = next(name for name in masked.input if made[name].op_type in ("MatMul", "Div", "Mul"))
            softmax.input[0] = scores
        for guard in [node for node in model.graph.node if node.op_type == "Where" and softmax.output[0] in node.input]:
            if made[guard.input[0]].op_type == "IsNaN":
                _rename(model, guard.output[0], softmax.output[0])


def with_plain_shapes(model: Any) -> None:
    """Writes shapes down that are put together from the text's own: 0 stands for "as it is"."""
    import numpy as np
    from onnx import numpy_helper  # type: ignore[import-not-found, unused-ignore]

    made = _makers(model)
    for node in model.graph.node:
        shape = made.get(node.input[1]) if node.op_type == "Reshape" else None
        if shape is None or shape.op_type != "Concat":
            continue
        sizes = [_constant(made.get(name)) for name in shape.input]
        plain = np.array([0 if size is None else size for size in sizes], dtype=np.int64)
        name = f"{node.output[0]}_shape"
        model.graph.initializer.append(numpy_helper.from_array(plain, name))
        node.input[1] = name


def without_unused(model: Any) -> None:
    """Drops the nodes, weights and inputs that nothing asks for any more, and what was noted of them."""
    graph = model.graph
    needed = {output.name for output in graph.output}
    kept = []
    for node in reversed(list(graph.node)):
        if needed.intersection(node.output):
            kept.append(node)
            needed.update(node.input)
    _refill(graph.node, reversed(kept))
    _refill(graph.initializer, [weight for weight in graph.initializer if weight.name in needed])
    _refill(graph.input, [given for given in graph.input if given.name in needed])
    del graph.value_info[:]


def is_same(file: Path, other: Path) -> bool:
    """True where both files give exactly the same numbers for texts of several lengths."""
    import numpy as np
    import onnxruntime

    chance = np.random.default_rng(3)
    sessions = [
        onnxruntime.InferenceSession(str(each), providers=["CPUExecutionProvider"], disabled_optimizers=UNFUSED)
        for each in (file, other)
    ]
    for length in (2, 9, 64, 193, 256):
        ids = chance.integers(1000, 20000, size=(1, length), dtype=np.int64)
        inputs = {"input_ids": ids, MASK: np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        first, second = (
            session.run(None, {each.name: inputs[each.name] for each in session.get_inputs()})[0]
            for session in sessions
        )
        if not np.array_equal(first, second):
            return False
    return True


def _makers(model: Any) -> dict[str, Any]:
    return {output: node for node in model.graph.node for output in node.output}


def _constant(node: Any) -> int | None:
    from onnx import numpy_helper  # type: ignore[import-not-found, unused-ignore]

    if node is None or node.op_type != "Constant":
        return None
    return int(numpy_helper.to_array(node.attribute[0].t).reshape(-1)[0])


def _rename(model: Any, old: str, new: str) -> None:
    for node in model.graph.node:
        for at, name in enumerate(node.input):
            if name == old and node.op_type != "IsNaN":
                node.input[at] = new


def _refill(field: Any, items: Any) -> None:
    kept = list(items)
    del field[:]
    field.extend(kept)


if __name__ == "__main__":
    main()
