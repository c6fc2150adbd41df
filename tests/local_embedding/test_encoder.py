"""Weights -> graph -> vectors, against the same encoder computed in NumPy; and folders as exporters write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

import onnx
from onnx import TensorProto, helper, numpy_helper

from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.local_embedding.encoder_graph import WEIGHTS_FILE
from litellm_prompt_router.local_embedding.known_models import MODEL_FILE, TOKENIZER_FILE
from litellm_prompt_router.local_embedding.prepared_model import write_encoder
from litellm_prompt_router.local_embedding.sentence_encoder import (
    LIMITS_FILE,
    POOLING_FILE,
    PROMPTS_FILE,
    SentenceEncoder,
)
from tests.made_encoder import WORDS, computed, made_encoder, made_tokenizer

TEXTS = ("please check the tide", "a storm", "record the catch and check it for me", "nothing known here", "")


def vector(raw: bytes) -> Any:
    return np.frombuffer(raw, "<f2").astype(np.float64)


def test_the_graph_computes_what_the_weights_say(tmp_path: Path) -> None:
    made = made_encoder()
    write_encoder(made, tmp_path)
    encoder = SentenceEncoder(tmp_path)
    for text in TEXTS:
        found = vector(encoder.packed(text))
        assert found @ computed(made.weights, encoder.tokens(text)) > 0.995
        assert np.linalg.norm(found) == pytest.approx(1, abs=1e-3)


def test_the_same_weights_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_encoder(made_encoder(), tmp_path / name)
    for file in (MODEL_FILE, WEIGHTS_FILE, TOKENIZER_FILE):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_a_long_text_keeps_its_head_and_its_tail(tmp_path: Path) -> None:
    write_encoder(made_encoder(prefix="please ", max_tokens=10), tmp_path)
    encoder = SentenceEncoder(tmp_path)
    text = " ".join(["check", "tide", "gauge", "moon", "pier", "crane", "berth", "rope", "net", "catch", "fish"])
    assert [WORDS[number] for number in encoder.tokens(text)] == [
        *("[CLS]", "please", "check", "tide", "gauge", "moon"),
        *("net", "catch", "fish", "[SEP]"),
    ]
    assert [WORDS[number] for number in encoder.tokens("a net")] == ["[CLS]", "please", "a", "net", "[SEP]"]


@pytest.mark.parametrize("takes_first", [False, True])
def test_an_exported_model_is_pooled(takes_first: bool, tmp_path: Path) -> None:
    """Inputs and output as exporters name them; the pooling that sentence-transformers states."""
    table = np.random.default_rng(1).standard_normal((len(WORDS), 6)).astype(np.float32)
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["last_hidden_state"]),
        helper.make_node("Identity", ["attention_mask"], ["mask"]),
    ]
    shape = ["batch", "tokens"]
    graph = helper.make_graph(
        nodes,
        "exported",
        [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in ("input_ids", "attention_mask")],
        [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, [*shape, 6])],
        [numpy_helper.from_array(table, "table")],
    )
    onnx.save_model(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / MODEL_FILE
    )
    tokenizer = made_tokenizer()
    tokenizer.enable_padding(length=32)
    tokenizer.enable_truncation(3)
    tokenizer.save(str(tmp_path / TOKENIZER_FILE))
    (tmp_path / POOLING_FILE).parent.mkdir()
    (tmp_path / POOLING_FILE).write_text(json.dumps({"pooling_mode_cls_token": takes_first}))
    encoder = SentenceEncoder(tmp_path)
    rows = table[encoder.tokens("check the tide")]
    assert len(rows) == 5
    wanted = rows[0] if takes_first else rows.mean(axis=0)
    assert vector(encoder.packed("check the tide")) == pytest.approx(wanted / np.linalg.norm(wanted), abs=2e-3)


@pytest.mark.parametrize("file", [MODEL_FILE, TOKENIZER_FILE, PROMPTS_FILE, LIMITS_FILE])
def test_a_damaged_folder_is_a_problem(file: str, tmp_path: Path) -> None:
    write_encoder(made_encoder(), tmp_path)
    (tmp_path / file).write_bytes(b"{ no")
    with pytest.raises(ConfigurationError, match=r"no model that runs here \("):
        SentenceEncoder(tmp_path)
