"""A BERT encoder as numbers, whoever stored them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float32]
BLOCK = 32
"""So many numbers of a word's vector share a scale."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class WordTable:
    """Each word's vector: ``values`` (words, blocks, BLOCK) times ``scales`` (words, blocks)."""

    values: NDArray[np.int8]
    scales: NDArray[np.float16]

    @classmethod
    def rounded(cls, vectors: Weights) -> WordTable:
        blocks = vectors.reshape(len(vectors), -1, BLOCK)
        scales = (np.abs(blocks).max(axis=2) / 127).astype(np.float16)
        divisors = np.where(scales > 0, scales, 1).astype(np.float32)[..., None]
        return cls(values=np.clip(np.rint(blocks / divisors), -127, 127).astype(np.int8), scales=scales)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Linear:
    """``weight`` (out, in) and ``bias`` (out)."""

    weight: Weights
    bias: Weights


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Norm:
    scale: Weights
    shift: Weights


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class EncoderLayer:
    """``heads_in``: query, key and value, one below the other."""

    heads_in: Linear
    heads_out: Linear
    attention_norm: Norm
    inner: Linear
    outer: Linear
    output_norm: Norm


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class EncoderWeights:
    """``positions``: what is added to the word at each place, the token type's vector included."""

    words: WordTable
    positions: Weights
    input_norm: Norm
    layers: tuple[EncoderLayer, ...]
    heads: int
    epsilon: float


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PackagedEncoder:
    """All that is needed to run one: ``tokenizer`` of the library `tokenizers`, and what goes ahead of each text."""

    weights: EncoderWeights
    tokenizer: Any
    prefix: str
    max_tokens: int
