"""A profile with an embedding model: fitted, measured and explained with it, and without it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from litellm_prompt_router.files.fit_files import TABLE_FILE
from tests.cli.conftest import Run
from tests.cli.test_fit import _labelled, root
from tests.emulators.embeddings import SIZE, Embedder, Fault

__all__ = ["root"]
TEXT = "please check the tide and the gauge for me"
MODEL = "openai/emulated-embeddings"


@pytest.fixture
def embedder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Embedder]:
    monkeypatch.setenv("OPENAI_API_KEY", "emulated")
    with Embedder() as embedder:
        yield embedder


@pytest.fixture
def embedding_root(root: Path) -> Path:
    """The harbour profile, with the model named in it."""
    file = root / "harbour" / "profile.yaml"
    file.write_text(f"{file.read_text()}router: {{embedding_model: {MODEL}}}\n")
    return root


def test_fit_evaluate_route(embedding_root: Path, tmp_path: Path, embedder: Embedder, run: Run) -> None:
    """Both thresholds are set; each command asks once, in batches; words alone need nobody."""
    where = ("--profile", "harbour", "--profiles", embedding_root)
    reach = ("--api-base", embedder.url)
    result = run("fit", _labelled(tmp_path / "fit.jsonl", 420), *where, *reach)
    assert (result.exit_code, "Traceback" in result.stderr) == (0, False)
    assert (
        f"with {MODEL}: guaranteed at 90% confidence: coverage of at least 95.0% of messages with a first need"
        in result.stdout
    )
    assert all(0 < len(batch) <= 64 for batch in embedder.batches)
    texts = [text for batch in embedder.batches for text in batch]
    assert len(texts) == len(set(texts))
    stored = json.loads((embedding_root / "harbour" / "router.json").read_text())
    assert stored["semantics"]["embedding_model"] == MODEL
    for calibration in (stored["calibration"], stored["semantics"]["calibration"]):
        assert (calibration["promise"], calibration["target_coverage"]) == ("guaranteed", 0.95)
    assert stored["calibration"]["messages"] == stored["semantics"]["calibration"]["messages"]
    with np.load(embedding_root / "harbour" / TABLE_FILE, allow_pickle=False) as arrays:
        assert arrays["module_vectors"].shape == (5, SIZE)

    embedder.clear()
    held_out = _labelled(tmp_path / "held_out.jsonl", 200, seed=77)
    document = json.loads(run("evaluate", held_out, *where, *reach, "--json").stdout)
    standings = {row["router"]: row for row in document["comparison"]["standings"]}
    assert list(standings) == ["all modules", "triggers only", "lexical", "lexical+semantic", "oracle"]
    assert standings["lexical+semantic"]["coverage"] >= 0.97
    assert standings["oracle"]["kept_tokens"] <= standings["lexical+semantic"]["kept_tokens"] < 0.9
    assert document["total"]["coverage"] == standings["lexical+semantic"]["coverage"]
    assert embedder.batches

    embedder.clear()
    by_words = json.loads(run("evaluate", held_out, *where, "--lexical", "--json").stdout)
    alone = {row["router"]: row for row in by_words["comparison"]["standings"]}
    assert alone["lexical"] == standings["lexical"]
    assert "lexical+semantic" not in alone
    assert embedder.batches == []

    explained = json.loads(run("route", TEXT, *where, *reach, "--json").stdout)
    assert embedder.batches == [[TEXT]]
    assert explained["threshold"] == stored["semantics"]["calibration"]["threshold"]
    assert explained["lexical_threshold"] == stored["calibration"]["threshold"]
    fused = {item["module"]: item["score"] for item in explained["scores"]}
    lexical = {item["module"]: item["score"] for item in explained["lexical_scores"]}
    assert max(fused, key=fused.__getitem__) == max(lexical, key=lexical.__getitem__) == "tides"
    assert fused != lexical
    assert {e["module"] for e in explained["selected"] if e["evidence"] == "score"} == {
        id for id, value in fused.items() if value >= explained["threshold"]
    }
    shown = run("route", TEXT, *where, *reach).stdout.splitlines()
    assert next(line for line in shown if line.startswith("score of")).split() == [
        *["score", "of", "words", "and", "meaning", "words", "alone"]
    ]
    assert next(line for line in shown if line.startswith("threshold")).split() == [
        "threshold",
        f"{explained['threshold']:.2f}",
        f"{explained['lexical_threshold']:.2f}",
    ]


def test_a_model_that_does_not_answer_is_a_problem(
    embedding_root: Path, tmp_path: Path, embedder: Embedder, run: Run
) -> None:
    file = _labelled(tmp_path / "fit.jsonl", 60)
    embedder.faults.extend([Fault(status=400)] * 8)
    result = run("fit", file, "--profile", "harbour", "--profiles", embedding_root, "--api-base", embedder.url)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"embedding model {MODEL!r}: BadRequestError: ")
    assert result.stderr.endswith("; check its name, key and address (--embedding-model, --api-base)\n")


@pytest.mark.parametrize("data", [[], [{"index": 0, "embedding": ["x"]}], "nothing"], ids=["none", "text", "no list"])
def test_so_is_a_garbage_answer(
    data: object, embedding_root: Path, tmp_path: Path, embedder: Embedder, run: Run
) -> None:
    embedder.faults.extend([Fault(data=data)] * 8)
    file = _labelled(tmp_path / "fit.jsonl", 60)
    result = run("fit", file, "--profile", "harbour", "--profiles", embedding_root, "--api-base", embedder.url)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"embedding model {MODEL!r}: ")
    assert "Traceback" not in result.stderr


@pytest.mark.full
def test_a_fit_without_the_model_is_stale(embedding_root: Path, tmp_path: Path, run: Run) -> None:
    """And one with it serves a profile that names none: by words alone."""
    file = embedding_root / "harbour" / "profile.yaml"
    named = file.read_text()
    plain = named.replace(f"router: {{embedding_model: {MODEL}}}\n", "")
    where = ("--profile", "harbour", "--profiles", embedding_root)
    file.write_text(plain)
    assert run("fit", _labelled(tmp_path / "fit.jsonl", 420), *where).exit_code == 0
    file.write_text(named)
    result = run("route", TEXT, *where)
    assert (result.exit_code, result.stderr) == (
        1,
        f"profiles/harbour: router.embedding_model: {MODEL!r}, but the profile was fitted without it; "
        "run `prompt-router fit` again, or take the model out\n",
    )
    file.write_text(plain)
    assert run("route", TEXT, *where).exit_code == 0


def test_a_profile_without_a_model_sends_nothing(root: Path, tmp_path: Path, run: Run) -> None:
    file = _labelled(tmp_path / "fit.jsonl", 60)
    result = run("fit", file, "--profile", "harbour", "--profiles", root, "--embedding-model", MODEL)
    assert (result.exit_code, result.stderr) == (
        1,
        "--embedding-model: harbour/profile.yaml names no model; add `router: {embedding_model: NAME}` to it\n",
    )
