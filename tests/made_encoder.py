"""A tiny sentence-embedding model of made-up weights, and the same model computed in NumPy, from the papers alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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
from litellm_prompt_router.local_embedding.prepared_model import write_encoder

HIDDEN, INNER, HEADS, LAYERS, PLACES = 64, 96, 4, 2, 40
WORDS = (
    *("[UNK]", "[CLS]", "[SEP]", "please", "check", "the", "for", "me", "and", "a", "plan", "record", "it"),
    *("tide", "gauge", "moon", "pier", "crane", "berth", "rope", "net", "catch", "fish", "storm", "wind", "radar"),
)


def made_encoder(
    seed: int = 3, prefix: str = "", max_tokens: int = PLACES, words: Sequence[str] = WORDS
) -> PackagedEncoder:
    """The same for the same seed."""
    chance = np.random.default_rng(seed)

    def numbers(*shape: int, size: float = 0.2) -> Weights:
        return (chance.standard_normal(shape) * size).astype(np.float32)

    def linear(wide: int, narrow: int) -> Linear:
        return Linear(weight=numbers(wide, narrow), bias=numbers(wide))

    def norm() -> Norm:
        return Norm(scale=1 + numbers(HIDDEN), shift=numbers(HIDDEN))

    weights = EncoderWeights(
        words=WordTable.rounded(numbers(len(words), HIDDEN, size=1.0)),
        positions=numbers(PLACES, HIDDEN),
        input_norm=norm(),
        layers=tuple(
            EncoderLayer(
                heads_in=linear(3 * HIDDEN, HIDDEN),
                heads_out=linear(HIDDEN, HIDDEN),
                attention_norm=norm(),
                inner=linear(INNER, HIDDEN),
                outer=linear(HIDDEN, INNER),
                output_norm=norm(),
            )
            for _ in range(LAYERS)
        ),
        heads=HEADS,
        epsilon=1e-12,
    )
    return PackagedEncoder(weights=weights, tokenizer=made_tokenizer(words), prefix=prefix, max_tokens=max_tokens)


def made_tokenizer(words: Sequence[str] = WORDS) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return tokenizer


def made_model(folder: Path, seed: int = 3, words: Sequence[str] = WORDS) -> str:
    """Writes the model into the folder; its name in a profile."""
    folder.mkdir(parents=True, exist_ok=True)
    write_encoder(made_encoder(seed, words=words), folder)
    return f"local/{folder}"


def computed(weights: EncoderWeights, ids: list[int]) -> Weights:
    """The vector of these tokens: BERT's encoder (arXiv 1810.04805) in full precision, mean, length one."""
    table = weights.words
    words = table.values.astype(np.float64) * table.scales.astype(np.float64)[..., None]
    x = words.reshape(len(words), -1)[ids] + weights.positions[: len(ids)]
    x = _normed(x, weights.input_norm, weights.epsilon)
    for layer in weights.layers:
        query, key, value = np.split(_linear(x, layer.heads_in), 3, axis=1)
        size = x.shape[1] // weights.heads
        heads = []
        for at in range(0, x.shape[1], size):
            part = slice(at, at + size)
            scores = query[:, part] @ key[:, part].T / math.sqrt(size)
            shares = np.exp(scores - scores.max(axis=1, keepdims=True))
            heads.append(shares / shares.sum(axis=1, keepdims=True) @ value[:, part])
        attended = _linear(np.concatenate(heads, axis=1), layer.heads_out)
        x = _normed(x + attended, layer.attention_norm, weights.epsilon)
        inner = _linear(x, layer.inner)
        active = inner * 0.5 * (1 + np.vectorize(math.erf)(inner / math.sqrt(2)))
        x = _normed(x + _linear(active, layer.outer), layer.output_norm, weights.epsilon)
    mean = x.mean(axis=0)
    vector: Weights = (mean / np.linalg.norm(mean)).astype(np.float32)
    return vector


def _linear(x: Any, linear: Linear) -> Any:
    return x @ linear.weight.T.astype(np.float64) + linear.bias


def _normed(x: Any, norm: Norm, epsilon: float) -> Any:
    centred = x - x.mean(axis=1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + epsilon) * norm.scale + norm.shift
