"""Accounting that continues from the call before says what accounting of the whole call says, to the digit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm_prompt_router.accounting import known_beginnings
from litellm_prompt_router.accounting.accountant import Accountant, AnsweredAttempt, AnsweringDeployment
from litellm_prompt_router.accounting.continued_reading import BLOCK_BYTES, Reading, continued_blocks
from litellm_prompt_router.accounting.in_flight import InFlightRequests
from litellm_prompt_router.accounting.known_beginnings import KnownBeginnings, history_in
from litellm_prompt_router.cache_model import Block, BlockReader, ReadPrompt
from litellm_prompt_router.cache_model.usage import read_usage
from litellm_prompt_router.gateway.deployments.describe import describe
from litellm_prompt_router.gateway.deployments.translation import ClaudeWire, LiteLLMTranslator
from litellm_prompt_router.record.record import Record
from litellm_prompt_router.request.types import CHAT, MESSAGES, RESPONSES
from tests.cache_model.calls import count_words, words
from tests.telemetry.records import CALLER, FACTS, RECORD

PRICES = {"input_cost_per_token": 1e-6, "cache_read_input_token_cost": 1e-7, "output_cost_per_token": 0.0}
START = CALLER.started_seconds
FULL, CUT = words(3_000), words(1_500)
MARK = {"type": "ephemeral"}
POINTS = [
    {"location": "message", "role": "system"},
    {"location": "message", "index": -1},
    {"location": "message", "index": 3},
]
MODELS = (
    *("anthropic/claude-sonnet-4-5", "anthropic/claude-opus-4-8", "vertex_ai/claude-sonnet-4-5"),
    *("bedrock/invoke/us.anthropic.claude-sonnet-4-5-20250929-v1:0", "openrouter/anthropic/claude-sonnet-4.5"),
    *("bedrock/us.anthropic.claude-opus-4-8", "openai/gpt-4.1", "openai/gpt-5.6", "deepseek/deepseek-chat"),
    "dashscope/qwen3-coder-plus",
)
IMAGE = "data:image/png;base64,iVBORw0KGgo="


class Call(NamedTuple):
    """One call of a conversation: the bodies as they came and as they were rewritten."""

    original: Mapping[str, Any]
    rewritten: Mapping[str, Any]
    endpoint: str = CHAT


def tool(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "description": "Runs.", "parameters": {"type": "object"}}}


def user(text: str, *, mark: bool = False, image: bool = False, cites: bool = False) -> dict[str, Any]:
    if not (mark or image or cites):
        return {"role": "user", "content": text}
    block = {"type": "text", "text": text, **({"cache_control": MARK} if mark else {})}
    return {
        "role": "user",
        "content": [block, *([{"type": "image_url", "image_url": {"url": IMAGE}}] if image else [])],
    }


TEXTS = st.sampled_from(["look", "and then what is it?", "done ", "  ", "", "grüße, 世界", words(40)])
NAMES = st.sampled_from(["t1", "t2", "call.3", "srvtoolu_1"])


@st.composite
def turns(draw: st.DrawFn) -> list[dict[str, Any]]:
    """What comes of one message of the user: calls with their results, then an answer."""
    out = [user(draw(TEXTS), mark=draw(st.booleans()), image=draw(st.integers(0, 5)) == 0)]
    if draw(st.integers(0, 9)) == 0:
        out.append({"role": "system", "content": "Mind the gap."})
    for _ in range(draw(st.integers(0, 2))):
        name = draw(NAMES)
        call = {"id": name, "type": "function", "function": {"name": "run", "arguments": '{"cmd": "ls"}'}}
        said = {"role": "assistant", "content": draw(st.sampled_from([None, "Looking.", ""])), "tool_calls": [call]}
        if draw(st.integers(0, 3)) == 0:
            said["thinking_blocks"] = [{"type": "thinking", "thinking": "Hm.", "signature": "s"}]
        out += [said, {"role": "tool", "tool_call_id": name, "content": draw(TEXTS)}]
    if draw(st.integers(0, 5)):
        out.append({"role": "assistant", "content": draw(st.sampled_from(["Done. ", "Here it is.", "12"]))})
    return out


@st.composite
def conversations(draw: st.DrawFn) -> list[list[dict[str, Any]]]:
    """The histories of calls that come one after the other: grown, forked, edited, and with the beginning gone."""
    history: list[dict[str, Any]] = draw(turns())
    out = [history]
    for _ in range(draw(st.integers(1, 5))):
        match draw(st.sampled_from(["grow", "grow", "grow", "step", "fork", "edit", "shorten", "again"])):
            case "grow":
                history = [*history, *draw(turns())]
            case "step":
                history = [*history, {"role": "assistant", "content": "Next."}, user(draw(TEXTS))]
            case "fork":
                history = [*history[: draw(st.integers(1, len(history)))], *draw(turns())]
            case "edit":
                at = draw(st.integers(0, len(history) - 1))
                history = [*history[:at], {**history[at], "content": "edited"}, *history[at + 1 :]]
            case "shorten":
                history = [*history[draw(st.integers(0, len(history) - 1)) :], user("go on")]
        out.append(history)
    return out


SETTINGS: Sequence[Mapping[str, Any]] = (
    {},
    {"tools": [tool("run")]},
    {"tools": [tool("run"), tool("with space")]},
    {"tools": [tool("run")], "tool_choice": "auto"},
    {"tools": [tool("run")], "reasoning_effort": "low", "max_tokens": 4_000},
    {"tools": [tool("run")], "cache_control_injection_points": POINTS[:2]},
    {"tools": [tool("run")], "cache_control_injection_points": POINTS},
    {"tools": [tool("run")], "enable_prompt_caching": True},
    {"tools": [tool("run")], "prompt_cache_options": {"mode": "explicit"}},
    {"tools": [tool("run")], "cache_control": MARK},
)


def noted(history: Sequence[Mapping[str, Any]], is_marked: bool) -> list[Any]:
    """As a rewriting leaves it: a note beside the second message of the user, a mark at the end."""
    asked = [number for number, message in enumerate(history) if message["role"] == "user"]
    out: list[Any] = list(history)
    for number in {*asked[1:2], *(asked[-1:] if is_marked else ())}:
        content = out[number]["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
        if number in asked[1:2]:
            blocks.append({"type": "text", "text": "Operator: mind the wind."})
        if is_marked and number == asked[-1]:
            blocks[-1] = {**blocks[-1], "cache_control": MARK}
        out[number] = {**out[number], "content": blocks}
    return out


def messages_of(history: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The same for the Messages endpoint."""
    out: list[dict[str, Any]] = []
    for message in history:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else list(content or ())
        blocks = [
            {"type": "image", "source": {"type": "base64", "data": "x"}} if "image_url" in block else block
            for block in blocks
        ]
        if message["role"] == "tool":
            blocks = [{"type": "tool_result", "tool_use_id": message["tool_call_id"], "content": content}]
        for call in message.get("tool_calls") or ():
            arguments = json.loads(call["function"]["arguments"])
            blocks.append({"type": "tool_use", "id": call["id"], "name": "run", "input": arguments})
        out.append({"role": "assistant" if message["role"] == "assistant" else "user", "content": blocks})
    return out


def items_of(history: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The same for the Responses endpoint."""
    out: list[dict[str, Any]] = []
    for message in history:
        if message["role"] == "tool":
            called, content = message["tool_call_id"], message["content"]
            out.append({"type": "function_call_output", "call_id": called, "output": content})
            continue
        content = message["content"]
        if content:
            kind = "output_text" if message["role"] == "assistant" else "input_text"
            parts = (
                [{"type": kind, "text": part.get("text", "")} for part in content] if isinstance(content, list) else 0
            )
            out.append({"type": "message", "role": message["role"], "content": parts or content})
        for call in message.get("tool_calls") or ():
            out.append({"type": "function_call", "call_id": call["id"], **call["function"]})
    return out


def call_of(history: list[dict[str, Any]], fields: Mapping[str, Any], endpoint: str, *, is_marked: bool) -> Call:
    cut = noted(history, is_marked)
    if endpoint == MESSAGES:
        tools = [{"name": one["function"]["name"], "input_schema": {}} for one in fields.get("tools", ())]
        shared = {name: fields[name] for name in ("cache_control", "tool_choice") if name in fields}
        shared |= {"tools": tools} if tools else {}
        return Call(
            {**shared, "system": FULL, "messages": messages_of(history)},
            {**shared, "system": [{"type": "text", "text": CUT, "cache_control": MARK}], "messages": messages_of(cut)},
            endpoint,
        )
    if endpoint == RESPONSES:
        tools = [{"type": "function", **one["function"]} for one in fields.get("tools", ())]
        shared = {"tools": tools} if tools else {}
        return Call(
            {**shared, "instructions": FULL, "input": items_of(history)},
            {**shared, "instructions": CUT, "input": items_of(noted(history, False))},
            endpoint,
        )
    system = [{"type": "text", "text": CUT, "cache_control": MARK}] if is_marked else CUT
    return Call(
        {**fields, "messages": [{"role": "system", "content": FULL}, *history]},
        {**fields, "messages": [{"role": "system", "content": system}, *cut]},
    )


class Accounts:
    """The records of calls, by an accountant that continues or by one that forgets before each call."""

    def __init__(self, translator: LiteLLMTranslator, *, forgets: bool = False) -> None:
        self._model = describe(MODELS[0])
        self._forgets = forgets
        self._number = 0
        self.accountant = Accountant(
            count_words,
            START - 1_000_000,
            deployments=lambda _: AnsweringDeployment(self._model, PRICES),
            translator=translator,
        )

    def record(self, call: Call, name: str = MODELS[0], *, is_sent: bool = True) -> Record:
        if self._forgets:
            self.accountant.known.clear()
            self.accountant._call_blocks._reader = BlockReader(count_words)
        self._model = describe(name)
        self._number += 1
        kept = InFlightRequests()
        kept.put("r", call.endpoint, call.original, call.rewritten, START, is_sent=is_sent)
        usage = {
            "prompt_tokens": (1_500 if is_sent else 3_000) + len(json.dumps(call.rewritten)) % 977,
            "completion_tokens": 1,
            "prompt_tokens_details": {"cached_tokens": 1_400 if self._number % 2 else 0},
        }
        record = replace(
            RECORD,
            facts=replace(FACTS, caller=replace(CALLER, started_seconds=START + 20.0 * self._number)),
            usage=read_usage(usage),
            billed_usd=Decimal("0.01"),
        )
        answer = AnsweredAttempt(
            deployment_id="d", provider=self._model.provider, model=self._model.own_name, scope=1, usage=usage,
            breakdown={}, first_token_seconds=0.5,
        )  # fmt: skip
        return self.accountant.complete(record, answer, kept.take("r"))


class WholeTranslator(LiteLLMTranslator):
    """Has LiteLLM translate whole bodies alone."""

    def messages_of_chat(self, body: Mapping[str, Any], model: Any) -> Mapping[str, Any]:
        return self._wire(model.name).body(body)

    def messages_of_rest(self, body: Mapping[str, Any], lead: int, end: int, model: Any) -> None:
        return None


TRANSLATOR, WHOLE = LiteLLMTranslator(), WholeTranslator()


@settings(deadline=None)
@given(
    history=conversations(),
    names=st.lists(st.sampled_from(MODELS), min_size=1, max_size=2),
    endpoint=st.sampled_from([CHAT, CHAT, CHAT, MESSAGES, RESPONSES]),
    fields=st.lists(st.sampled_from(SETTINGS), min_size=1, max_size=2),
    is_marked=st.booleans(),
    is_sent=st.booleans(),
)
def test_it_is_what_the_whole_call_gives(
    history: list[list[dict[str, Any]]],
    names: list[str],
    endpoint: str,
    fields: list[Mapping[str, Any]],
    is_marked: bool,
    is_sent: bool,
) -> None:
    continued, whole = Accounts(TRANSLATOR), Accounts(WHOLE, forgets=True)
    for number, messages in enumerate(history):
        call = call_of(messages, fields[number % len(fields)], endpoint, is_marked=is_marked)
        name = names[number % len(names)]
        assert continued.record(call, name, is_sent=is_sent) == whole.record(call, name, is_sent=is_sent)


def loop_of(count: int) -> list[dict[str, Any]]:
    """A tool loop of so many messages."""
    out = [user("Please look at all of it.")]
    while len(out) < count:
        name = f"call_{len(out)}"
        call = {"id": name, "type": "function", "function": {"name": "run", "arguments": '{"cmd": "ls"}'}}
        out.append({"role": "assistant", "content": "Looking.", "tool_calls": [call]})
        out.append({"role": "tool", "tool_call_id": name, "content": f"file {len(out)}"})
    return out[:count]


@settings(deadline=None)
@given(history=conversations(), fields=st.sampled_from(SETTINGS), name=st.sampled_from(MODELS[:4]))
def test_a_body_put_together_is_the_whole_body(
    history: list[list[dict[str, Any]]], fields: Mapping[str, Any], name: str
) -> None:
    """Whatever bodies of the same tools and kinds of messages came out the same before: these are of all examples."""
    model = describe(name)
    for messages in history:
        chat = {**fields, "messages": [{"role": "system", "content": CUT}, *messages]}
        try:
            whole = WHOLE.messages_of_chat(chat, model)
        except ValueError:
            with pytest.raises(ValueError, match="can't send"):
                TRANSLATOR.messages_of_chat(chat, model)
        else:
            assert TRANSLATOR.messages_of_chat(chat, model) == whole


def test_litellm_translates_kinds_of_messages_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another conversation whose messages are of the same kinds is put together of its parts."""
    translated = []
    body = ClaudeWire.body

    def counted(wire: ClaudeWire, chat: Mapping[str, Any]) -> dict[str, Any]:
        translated.append(chat)
        return body(wire, chat)

    monkeypatch.setattr(ClaudeWire, "body", counted)
    accounts = Accounts(LiteLLMTranslator())
    for text in ("one", "two", "three"):
        for count in (1, 3, 5, 7):
            messages = [{**loop_of(1)[0], "content": text}, *loop_of(count)[1:]]
            accounts.record(call_of(messages, SETTINGS[1], CHAT, is_marked=False))
        assert len(translated) == 2, "a first and a second call, whichever prompt they have"


class CountingTranslator(LiteLLMTranslator):
    """Counts the messages that LiteLLM is given."""

    def __init__(self) -> None:
        super().__init__()
        self.whole = self.rest = 0

    def messages_of_chat(self, body: Mapping[str, Any], model: Any) -> Mapping[str, Any]:
        self.whole += len(body["messages"])
        return super().messages_of_chat(body, model)

    def messages_of_rest(self, body: Mapping[str, Any], lead: int, end: int, model: Any) -> Mapping[str, Any] | None:
        self.rest += len(body["messages"]) - end + lead
        return super().messages_of_rest(body, lead, end, model)


@pytest.mark.parametrize("rewritten", [True, False])
def test_it_gives_way_between_steps(rewritten: bool) -> None:
    """With each body, the history and the sizes: the event loop shares the interpreter with it."""
    paused = []
    accounts = Accounts(TRANSLATOR)
    accounts.accountant._give_way = lambda: paused.append(1)
    call = call_of(loop_of(5), SETTINGS[1], CHAT, is_marked=False)
    record = accounts.record(call if rewritten else call._replace(rewritten=call.original))
    assert len(paused) == 4
    paused.clear()
    answer = AnsweredAttempt(
        deployment_id="d", provider="anthropic", model="m", scope=1, usage=None, breakdown={}, first_token_seconds=0.5
    )
    accounts.accountant.complete(record, answer, None)
    assert not paused


@pytest.mark.parametrize("name", [name for name in MODELS if "claude" in name and "bedrock/us" not in name])
@pytest.mark.parametrize(
    ("fields", "translated"),
    [(SETTINGS[1], 5), (SETTINGS[4], 5), (SETTINGS[5], 6)],
    ids=["tools", "effort", "points"],
)
def test_only_new_messages_are_translated(name: str, fields: Mapping[str, Any], translated: int) -> None:
    """As many at the hundredth call of a loop as at the fourth: the system prompts of both bodies, the new messages
    once for both, or for each where LiteLLM is to place marks on them.
    """
    translator = CountingTranslator()
    accounts = Accounts(translator)
    counts = []
    for count in range(1, 120, 2):
        translator.whole = translator.rest = 0
        accounts.record(call_of(loop_of(count), fields, CHAT, is_marked=False), name)
        counts.append((translator.whole, translator.rest))
    assert set(counts[3:]) == {(0, translated)}


@pytest.mark.parametrize(
    ("name", "endpoint"),
    [(MODELS[0], CHAT), (MODELS[0], MESSAGES), ("openai/gpt-4.1", CHAT), ("openai/gpt-4.1", RESPONSES)],
)
def test_only_new_messages_are_read(name: str, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    for method in ("anthropic_prompt", "openai_prompt"):
        plain = getattr(BlockReader, method)

        def counted(self: BlockReader, body: Mapping[str, Any], *more: Any, plain: Any = plain) -> Any:
            read.append(len(body.get("messages") or body.get("input") or ()))
            return plain(self, body, *more)

        monkeypatch.setattr(BlockReader, method, counted)
    accounts = Accounts(TRANSLATOR)
    sums = []
    for count in range(3, 120, 2):
        read.clear()
        accounts.record(call_of(loop_of(count), SETTINGS[1], endpoint, is_marked=False), name)
        sums.append(sum(read))
    assert max(sums[2:]) <= 12


def test_what_is_known_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """In number and in bytes; what was used longest ago goes first, and is then read whole again."""
    monkeypatch.setattr(known_beginnings, "MAX_BEGINNINGS", 6)
    accounts, whole = Accounts(TRANSLATOR), Accounts(WHOLE, forgets=True)
    for count in range(3, 40, 2):
        call = call_of(loop_of(count), SETTINGS[1], CHAT, is_marked=False)
        assert accounts.record(call) == whole.record(call)
        assert len(accounts.accountant.known) <= 6
    monkeypatch.setattr(known_beginnings, "MAX_BYTES", 20_000)
    call = call_of(loop_of(43), SETTINGS[1], CHAT, is_marked=False)
    assert accounts.record(call) == whole.record(call)
    assert accounts.accountant.known.size_bytes <= 20_000


def test_what_is_told_to_be_kept_is_what_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many conversations that go on only the longest beginnings are left in the end: with all that is in them."""
    monkeypatch.setattr(known_beginnings, "MAX_BYTES", 200_000)
    known = KnownBeginnings()
    messages: dict[int, list[Any]] = {}
    for call in range(40):
        messages[call] = [
            {"role": role, "content": f"{call}.{at}"} for at in range(20) for role in ("user", "assistant")
        ]
        for number, history in messages.items():
            history += [{"role": "user", "content": f"{number}.{len(history)}"}]
            _read_on(history, known)
            history += [{"role": "assistant", "content": "yes"}]
        kept = {id(block) for held in known._known.values() for block in held[0].blocks}
        assert BLOCK_BYTES * len(kept) <= known.size_bytes <= 200_000


def _read_on(messages: list[Any], known: KnownBeginnings) -> None:
    def read(some: Sequence[Any]) -> ReadPrompt:
        return ReadPrompt((Block(1, 5),), tuple((Block(hash(str(message)), 7),) for message in some))

    reading = Reading(
        key="key",
        whole=lambda: read(messages),
        rest=lambda end, before: read(messages[end:]),
        count_behind=lambda end: len(messages) - end,
    )
    continued_blocks(reading, history_in({"messages": messages}, CHAT), known)


def test_beginnings_are_told_apart_by_content_order_and_type() -> None:
    known = KnownBeginnings()
    answer = {"role": "assistant", "content": "Yes."}

    def found(*opening: dict[str, Any]) -> object:
        history = history_in({"messages": [*opening, answer, user("go on")]}, CHAT)
        assert history is not None
        _, value = known.find("key", history)
        if value is None:
            known.keep("key", history, history.ends[-1], len(known) + 1, 0)
        return value

    first: dict[str, Any] = {"role": "user", "content": [{"type": "text", "text": "a", "n": 1}]}
    assert found(first) is None
    assert found(json.loads(json.dumps(first))) == 1
    assert found({"content": first["content"], "role": "user"}) is None
    assert found({"role": "user", "content": [{"type": "text", "text": "a", "n": True}]}) is None
    assert found({"role": "user", "content": [{"type": "text", "text": "a", "n": 1.0}]}) is None
    assert found(user("a"), user("b")) is None
    assert found(user("ab")) is None


@pytest.mark.parametrize(
    "odd",
    [
        {"messages": None},
        {"messages": "hello"},
        {"messages": [1]},
        {"messages": [{"role": "system", "content": FULL}, {"role": ["user"], "content": "hi"}]},
        {"messages": [{"role": "user", "content": "hi"}], "tools": ["run"]},
        {"messages": [{"role": "user", "content": "hi"}], "cache_control_injection_points": [1]},
        {"messages": [*loop_of(5), user("hi")], "cache_control_injection_points": [{"index": "2"}, 1]},
        {"messages": [*loop_of(5), user("hi")], "cache_control_injection_points": 3},
        {"messages": [*loop_of(5), {"role": "user", "content": {"b"}}]},
    ],
)
@pytest.mark.parametrize("name", [MODELS[0], "openai/gpt-4.1"])
def test_odd_bodies_end_alike(odd: Mapping[str, Any], name: str) -> None:
    """The same record, or the same fault."""

    def outcome(accounts: Accounts) -> object:
        try:
            return accounts.record(Call({"messages": [user("x")]} | dict(odd), {"messages": [user("y")]}), name)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is compared
            return type(error)

    assert outcome(Accounts(TRANSLATOR)) == outcome(Accounts(WHOLE, forgets=True))


def test_a_message_that_is_no_plain_json_is_accounted_with_points() -> None:
    """Whether the points reach into the history can't be told quickly there, so all of it is read."""
    points = {"cache_control_injection_points": [{"location": "message", "role": "system"}]}
    original = {"messages": [{**user("a"), "sent": Decimal(1)}, *loop_of(5), user("hi")], **points}
    record = Accounts(TRANSLATOR).record(Call(original, {"messages": [user("y")], **points}), MODELS[0])
    assert record.estimated_net_saved_reason is None
