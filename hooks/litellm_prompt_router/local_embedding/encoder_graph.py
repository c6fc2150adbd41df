"""A BERT encoder -> an ONNX graph in 8-bit integers: token ids of one text in, its mean vector of length one out.

Matrices are rounded per output to 7 bits, so that the sums of two products fit 16 bits on CPUs without VNNI, where
ONNX Runtime adds them so (onnxruntime.ai, "Quantize ONNX models", checked 2026-11): the same numbers on every machine.
Activations are rounded to 8 bits as they come. A text is computed by itself: no padding, so no mask, and what waits
beside it changes nothing in its vector.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from litellm_prompt_router.local_embedding.encoder_weights import EncoderWeights, Linear, Norm

OPSET, IR_VERSION = 21, 10
CONTRIBUTED = "com.microsoft"
"""ONNX Runtime's own operators: 8-bit matrix products with rounding inside, and attention."""
LEVELS = 63
WEIGHTS_FILE = "weights.bin"
"""Beside the graph, so that ONNX Runtime maps it: words that nobody uses take no memory."""
PAGE_BYTES = 4_096
INPUT, OUTPUT = "input_ids", "sentence_embedding"


class _Graph:
    def __init__(self, numbers: BinaryIO) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._numbers = numbers

    def constant(self, name: str, values: Any) -> str:
        """Small ones stand in the graph; others go to their file at once, which keeps them out of memory."""
        from onnx import TensorProto, helper, numpy_helper

        array = np.ascontiguousarray(values)
        if array.nbytes < PAGE_BYTES:
            self.constants.append(numpy_helper.from_array(array, name))
            return name
        self._numbers.write(bytes(-self._numbers.tell() % PAGE_BYTES))
        kind = helper.np_dtype_to_tensor_dtype(array.dtype)
        tensor = TensorProto(name=name, dims=array.shape, data_type=kind, data_location=TensorProto.EXTERNAL)
        place = {"location": WEIGHTS_FILE, "offset": self._numbers.tell(), "length": array.nbytes}
        for key, value in place.items():
            tensor.external_data.add(key=key, value=str(value))
        self._numbers.write(array.data)
        self.constants.append(tensor)
        return name

    def node(self, kind: str, inputs: list[str], *outputs: str, domain: str = "", **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, list(outputs), domain=domain, **attributes))
        return outputs[0]

    def matrix(self, name: str, x: str, linear: Linear) -> str:
        scales = np.maximum(np.abs(linear.weight).max(axis=1) / LEVELS, 1e-12).astype(np.float32)
        rounded = np.rint(linear.weight / scales[:, None]).astype(np.int8)
        return self.node(
            "DynamicQuantizeMatMul",
            [
                x,
                self.constant(f"{name}.weight", rounded.T),
                self.constant(f"{name}.scale", scales),
                self.constant(f"{name}.zero", np.zeros(len(scales), np.int8)),
                self.constant(f"{name}.bias", linear.bias),
            ],
            name,
            domain=CONTRIBUTED,
        )

    def norm(self, name: str, x: str, norm: Norm, epsilon: float) -> str:
        inputs = [x, self.constant(f"{name}.scale", norm.scale), self.constant(f"{name}.shift", norm.shift)]
        return self.node("LayerNormalization", inputs, name, axis=-1, epsilon=epsilon)


def write_graph(weights: EncoderWeights, path: Path) -> None:
    """Writes the graph to ``path`` and its numbers beside it; the same weights give the same bytes."""
    with (path.parent / WEIGHTS_FILE).open("wb") as numbers:
        path.write_bytes(_model(_Graph(numbers), weights))


def _model(graph: _Graph, weights: EncoderWeights) -> bytes:
    from onnx import TensorProto, helper

    hidden = weights.positions.shape[1]
    x = _embedded(graph, weights, hidden)
    for number, layer in enumerate(weights.layers):
        at = f"layer{number}"
        heads = graph.matrix(f"{at}.heads", x, layer.heads_in)
        parts = [f"{at}.query", f"{at}.key", f"{at}.value"]
        graph.node("Split", [heads], *parts, axis=-1, num_outputs=3)
        graph.node("MultiHeadAttention", parts, f"{at}.context", domain=CONTRIBUTED, num_heads=weights.heads)
        attended = graph.matrix(f"{at}.attended", f"{at}.context", layer.heads_out)
        summed = graph.node("Add", [x, attended], f"{at}.attended_sum")
        x = graph.norm(f"{at}.attention_norm", summed, layer.attention_norm, weights.epsilon)
        inner = graph.matrix(f"{at}.inner", x, layer.inner)
        active = graph.node("Gelu", [inner], f"{at}.active", domain=CONTRIBUTED)
        outer = graph.matrix(f"{at}.outer", active, layer.outer)
        summed = graph.node("Add", [x, outer], f"{at}.outer_sum")
        x = graph.norm(f"{at}.output_norm", summed, layer.output_norm, weights.epsilon)
    graph.node("ReduceMean", [x, graph.constant("axis1", np.array([1], np.int64))], "mean", keepdims=0)
    graph.node("LpNormalization", ["mean"], OUTPUT, axis=-1, p=2)
    ids = helper.make_tensor_value_info(INPUT, TensorProto.INT64, [1, "tokens"])
    vector = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [1, hidden])
    made = helper.make_graph(graph.nodes, "encoder", [ids], [vector], graph.constants)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIBUTED, 1)]
    model = helper.make_model(made, opset_imports=opsets, ir_version=IR_VERSION, producer_name="prompt-router")
    raw: bytes = model.SerializeToString(deterministic=True)
    return raw


def _embedded(graph: _Graph, weights: EncoderWeights, hidden: int) -> str:
    words = weights.words
    graph.node("Gather", [graph.constant("words", words.values), INPUT], "word_values", axis=0)
    graph.node("Gather", [graph.constant("word_scales", words.scales[..., None]), INPUT], "scales", axis=0)
    graph.node("Cast", ["word_values"], "word_numbers", to=1)
    graph.node("Cast", ["scales"], "scale_numbers", to=1)
    graph.node("Mul", ["word_numbers", "scale_numbers"], "word_blocks")
    graph.node("Reshape", ["word_blocks", graph.constant("shape", np.array([1, -1, hidden], np.int64))], "word_vectors")
    zero = graph.constant("zero", np.array([0], np.int64))
    graph.node("Shape", [INPUT], "tokens", start=1, end=2)
    positions = graph.constant("positions", weights.positions)
    graph.node("Slice", [positions, zero, "tokens", zero], "places")
    graph.node("Add", ["word_vectors", "places"], "input_sum")
    return graph.norm("input_norm", "input_sum", weights.input_norm, weights.epsilon)
