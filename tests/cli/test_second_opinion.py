"""``second-opinion``: a model over real HTTP says what labelled messages need; its disagreements are listed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.emulators.author import Author
from tests.emulators.replies import HttpError

STATE = "toy-second-opinion.json"
MODEL = "openai/gpt-4o-mini"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("litellm_prompt_router.authoring.examples.asking.FIRST_WAIT_SECONDS", 0.0)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789abcdefghij")


@pytest.fixture
def author() -> Iterator[Author]:
    """It labels each message with the modules behind its ``#``."""
    with Author() as author:
        yield author


def case(text: str, *needs: str, **more: Any) -> dict[str, Any]:
    return {"text": text, "needs": list(needs), **more}


CASES = [
    case("sum this up #tools/csv", "tools/csv"),
    case("who won #tools/web", "tools/files"),
    case("thanks", "tools/web"),
    case("more of that #tools/csv", history=["sum this up"], tool_calls=["load_csv"]),
    case("and this one #tools/csv #tools/web", "tools/csv", "tools/files"),
    *(case(f"plain {number}") for number in range(7)),
]
FOUND = [
    (2, "needless", "tools/files"),
    (2, "missing", "tools/web"),
    (3, "needless", "tools/web"),
    (5, "missing", "tools/web"),
]
"""A required module is needed too, and what a tool call brought isn't compared."""


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    path = tmp_path / "labelled.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in CASES))
    return path


@pytest.fixture
def arguments(labelled: Path, author: Author, toy_root: Path) -> tuple[str | Path, ...]:
    reach = ("--llm", MODEL, "--api-base", f"{author.url}/v1")
    return ("second-opinion", labelled, *reach, "--profile", "toy", "--profiles", toy_root)


def test_disagreements_are_listed_and_nothing_is_changed(
    arguments: tuple[str | Path, ...], labelled: Path, author: Author, run: Run
) -> None:
    before = labelled.read_bytes()
    result = run(*arguments)
    assert result.exit_code == 0
    assert "3 of 12 messages are labelled otherwise than openai/gpt-4o-mini would\n" in result.stdout
    assert "line 2: would add tools/web and would drop tools/files: who won #tools/web\n" in result.stdout
    assert "line 3: would drop tools/web: thanks\n" in result.stdout
    assert "line 5: would add tools/web: and this one" in result.stdout
    assert "line 1:" not in result.stdout
    assert "line 4:" not in result.stdout
    assert "nothing was changed" in result.stdout
    assert labelled.read_bytes() == before
    assert len(author.questions) == 2
    asked = json.dumps(author.questions)
    assert "needs" in asked
    assert '\\"needs\\": [\\"tools/files\\"]' not in asked
    assert {question["messages"][0]["content"] for question in author.questions} == {
        author.questions[0]["messages"][0]["content"]
    }


def test_no_message_is_paid_for_twice(
    arguments: tuple[str | Path, ...], labelled: Path, author: Author, run: Run
) -> None:
    """A changed label is compared with the answer that is there; a new message is asked about alone."""
    first = json.loads(run(*arguments, "--json").stdout)
    assert [(one["line"], one["kind"], one["module"]) for one in first["disagreements"]] == sorted(
        FOUND, key=lambda one: (one[0], ["tools/files", "tools/web"].index(one[2]))
    )
    assert (first["answers"], first["unanswered"]) == (2, 0)
    assert float(first["usd"]) > 0
    labelled.write_text(
        "".join(json.dumps(one) + "\n" for one in [CASES[0], {**CASES[1], "needs": ["tools/web"]}, *CASES[2:]])
        + json.dumps(case("new #tools/web"))
        + "\n"
    )
    second = json.loads(run(*arguments, "--json").stdout)
    assert {one["line"] for one in second["disagreements"]} == {3, 5, 13}
    assert len(author.questions) == 3
    assert "who won" not in json.dumps(author.questions[2])


def test_a_dry_run_says_the_price_and_asks_nothing(arguments: tuple[str | Path, ...], author: Author, run: Run) -> None:
    result = run(*arguments, "--dry-run")
    assert "12 of 12 messages to ask openai/gpt-4o-mini about, in 2 questions: about " in result.stdout
    document = json.loads(run(*arguments, "--dry-run", "--json").stdout)
    assert (document["asked"], document["questions"], document["output_tokens"]) == (12, 2, 360)
    # openai.com/api/pricing, checked 2026-11: gpt-4o-mini takes 0.15 USD a million tokens in and 0.60 out.
    assert float(document["usd"]) == pytest.approx((document["input_tokens"] * 0.15 + 360 * 0.6) / 1e6)
    assert author.questions == []
    assert not Path(STATE).exists()


def test_it_goes_on_where_it_failed(arguments: tuple[str | Path, ...], author: Author, run: Run) -> None:
    """What was answered is kept; the error is told without a traceback."""
    author.faults.extend([None, HttpError(status=400, message="no such key")])
    failed = run(*arguments)
    assert failed.exit_code == 1
    assert "2 without an answer" in failed.stdout
    assert "--llm: openai/gpt-4o-mini: BadRequestError" in failed.stderr
    assert "Traceback" not in failed.stderr
    author.questions.clear()
    assert "of 12 messages are labelled otherwise" in run(*arguments).stdout
    assert len(author.questions) == 1


def test_garbage_is_no_opinion(arguments: tuple[str | Path, ...], author: Author, run: Run) -> None:
    author.faults.extend(["I'd rather not say."] * 6)
    result = run(*arguments)
    assert result.exit_code == 0
    assert "12 without an answer; run the same command again" in result.stdout
    Path(STATE).write_text("[1]")
    assert (
        run(*arguments).stderr
        == f"{STATE}: not what `prompt-router second-opinion` writes; move it away to begin anew\n"
    )
