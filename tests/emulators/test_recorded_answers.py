"""The recorded routing model against a real SDK client."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletion

from tests.emulators.recorded_answers import (
    REFUSAL,
    Misbehaviour,
    RecordedAnswerer,
    RecordedMessage,
    recorded_in,
)
from tests.emulators.two_keys import openai_client

FIRST = RecordedMessage(text='Plot "sales" by month', needed=("charts",), perhaps=("tables",))
SECOND = RecordedMessage(text="yes, do that", history=(FIRST.text,), needed=("shell",))
LONG = RecordedMessage(text="a" * 300 + "\n" + "b" * 9_000 + "the end" * 40, needed=("logs",))


@pytest.fixture
def model() -> Iterator[RecordedAnswerer]:
    with RecordedAnswerer((FIRST, SECOND, LONG), default={"needed": ["all"], "perhaps": []}) as answerer:
        yield answerer


@pytest.fixture
def client(model: RecordedAnswerer) -> Iterator[openai.OpenAI]:
    with openai_client(model.url, "k") as sdk:
        yield sdk


def ask(client: openai.OpenAI, question: str, index: str = "The index.", model: str = "small") -> ChatCompletion:
    messages: Any = [{"role": "system", "content": index}, {"role": "user", "content": question}]
    return client.chat.completions.create(model=model, messages=messages)


def said(completion: ChatCompletion) -> dict[str, list[str]]:
    document: dict[str, list[str]] = json.loads(completion.choices[0].message.content or "")
    return document


@pytest.mark.parametrize(
    ("question", "needed"),
    [
        pytest.param(f"Which sections?\n<message>{FIRST.text}</message>", ["charts"], id="plain"),
        pytest.param(json.dumps({"latest": FIRST.text}), ["charts"], id="as JSON"),
        pytest.param(f"earlier: {FIRST.text}\nlatest: {SECOND.text}", ["shell"], id="the latest of two"),
        pytest.param(f"latest: {SECOND.text}", ["all"], id="another conversation's"),
        pytest.param(f"latest: {LONG.text[:400]} [...]", ["logs"], id="cut at its end"),
        pytest.param(f"latest: [...] {LONG.text[-400:]}", ["logs"], id="cut at its beginning"),
        pytest.param("latest: Wer hat gewonnen?", ["all"], id="not recorded"),
    ],
)
def test_answers_for_the_message_that_is_quoted(client: openai.OpenAI, question: str, needed: list[str]) -> None:
    assert said(ask(client, question))["needed"] == needed


def test_questions_and_tokens_are_counted(client: openai.OpenAI, model: RecordedAnswerer) -> None:
    """What the index quotes is no message; unknown ones are counted."""
    first = ask(client, FIRST.text)
    second = ask(client, "unknown", index=f"such as: {FIRST.text}", model="other")
    assert (model.asked_of(), model.unknown) == ({"small": 1, "other": 1}, 1)
    assert first.usage is not None
    assert second.usage is not None
    assert model.usage.input_tokens == first.usage.prompt_tokens + second.usage.prompt_tokens
    assert model.usage.output_tokens == first.usage.completion_tokens + second.usage.completion_tokens
    model.clear()
    assert (model.usage.input_tokens, model.questions, model.unknown) == (0, [], 0)


def test_misbehaves_as_told(client: openai.OpenAI, model: RecordedAnswerer) -> None:
    """Late, garbage, unknown ids, a refusal, an error, no answer at all; then good ones again."""
    model.faults.extend(
        [
            Misbehaviour(delay_seconds=0.2),
            Misbehaviour(text="no JSON"),
            Misbehaviour(text='{"needed": ["no/such"], "perhaps": []}'),
            Misbehaviour(refuses=True),
            Misbehaviour(status=500),
            Misbehaviour(hangs_up=True),
        ]
    )
    began = time.monotonic()
    assert said(ask(client, FIRST.text))["needed"] == ["charts"]
    assert time.monotonic() - began >= 0.2
    assert ask(client, FIRST.text).choices[0].message.content == "no JSON"
    assert said(ask(client, FIRST.text))["needed"] == ["no/such"]
    refused = ask(client, FIRST.text).choices[0].message
    assert (refused.content, refused.refusal) == (None, REFUSAL)
    with pytest.raises(openai.InternalServerError):
        ask(client, FIRST.text)
    with pytest.raises(openai.APIConnectionError):
        ask(client, FIRST.text)
    assert said(ask(client, FIRST.text))["needed"] == ["charts"]
    model.always = Misbehaviour(text="{")
    assert [ask(client, FIRST.text).choices[0].message.content for _ in range(2)] == ["{", "{"]


def test_answers_are_read_from_files(tmp_path: Path) -> None:
    messages, answers = tmp_path / "messages.jsonl", tmp_path / "answers.jsonl"
    rows = [
        {"conversation": "a", "turn": turn, "text": text, "history": history}
        for turn, (text, history) in enumerate((("one", []), ("two", ["one"])))
    ]
    messages.write_text("".join(json.dumps(row) + "\n" for row in rows))
    answers.write_text('{"conversation": "a", "turn": 1, "need": ["x"], "maybe": ["y"]}\n')
    assert recorded_in(messages, answers) == (
        RecordedMessage(text="two", history=("one",), needed=("x",), perhaps=("y",)),
    )
