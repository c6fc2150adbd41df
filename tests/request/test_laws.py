"""Laws of the walk, over random profiles, prompts and conversations."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from litellm_prompt_router.profile.profile import Module, Profile, Slot
from litellm_prompt_router.request.pipeline import Pipeline
from litellm_prompt_router.request.types import Passthrough, Rewritten, Target
from tests.law_examples import examples
from tests.request.notes import in_blocks, without_notes

MARKS = Target(takes_marks=True, min_cache_tokens=0, input_usd_per_token=Decimal("0.000003"))
NO_MARKS = Target(takes_marks=False, min_cache_tokens=0, input_usd_per_token=None)
SLOT = Slot(name="stamp", pattern=re.compile(r"Stamp: [0-9]{1,6}\."), sample="Stamp: 17.", volatile=True, max_chars=100)

WORDS = st.sampled_from(
    ["tool", "file", "report", "query", "chart", "must", "never", "größe", "naïve", "данные", "表格"]
)
LINE = st.lists(WORDS, min_size=3, max_size=9).map(" ".join)
MARK = st.sampled_from([{"type": "ephemeral"}, {"type": "ephemeral", "ttl": "5m"}, {"type": "ephemeral", "ttl": "1h"}])


def count_tokens(text: str) -> int:
    return len(text.split())


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    """A profile of 3 to 9 modules with distinct headings, most of them optional; one may hold a volatile slot."""
    size = draw(st.integers(3, 9))
    with_slot = draw(st.one_of(st.none(), st.integers(0, size - 1)))
    modules = []
    for number in range(size):
        is_core = number == 0 or draw(st.integers(0, 3)) == 0
        lines = draw(st.lists(LINE, min_size=1, max_size=5))
        body = f"## Section number {number} of the prompt\n" + "\n".join(lines)
        end = draw(st.sampled_from(["\n", "\n\n", "\n\n\n"]))
        parts: tuple[str | Slot, ...] = (f"{body}{end}",)
        if number == with_slot:
            parts = (f"{body}\n", SLOT, f"\nEnd of section {number}.{end}")
        modules.append(
            Module(
                id=f"part/m{number}",
                title=f"m{number}",
                description="",
                always=is_core,
                requires=(f"part/m{number - 1}",) if number > 1 and draw(st.integers(0, 4)) == 0 else (),
                triggers=(f"topic{number}",),
                examples=(),
                tools=(f"tool_{number}",),
                parts=parts,
                tokens=sum(count_tokens(part) for part in parts if isinstance(part, str)),
                optional=not is_core and draw(st.integers(0, 4)) > 0,
            )
        )
    return Profile(
        name="sample",
        version="1",
        digest="0",
        description="",
        modules=tuple(modules),
        coverage_floor=0.0,
        cache_ttl=draw(st.sampled_from(["5m", "1h"])),
        order={module.id: number for number, module in enumerate(modules)},
    )


@st.composite
def prompts(draw: st.DrawFn, profile: Profile) -> str:
    """The profile's prompt as agents send it: whole, stripped, wrapped, extended, with CRLF or repeated."""
    text = profile.text
    if draw(st.booleans()):
        text = text.replace(SLOT.sample, f"Stamp: {draw(st.integers(0, 999999))}.")
    for _ in range(draw(st.integers(0, 2))):
        form = draw(st.sampled_from(["strip", "crlf", "before", "after", "insert", "repeat"]))
        noise = "UNKNOWN " + draw(LINE)
        if form == "strip":
            text = text.strip()
        elif form == "crlf":
            text = text.replace("\r\n", "\n").replace("\n", "\r\n")
        elif form == "before":
            text = noise + draw(st.sampled_from([" ", "\n\n"])) + text
        elif form == "after":
            text = text + draw(st.sampled_from(["", "\n", "\n\n"])) + noise
        elif form == "insert":
            lines = text.split("\n")
            at = draw(st.integers(0, len(lines)))
            text = "\n".join([*lines[:at], noise, *lines[at:]])
        else:
            text = f"{text}\n{text}"
    return text


def _system(draw: st.DrawFn, text: str) -> list[dict[str, Any]]:
    """The prompt as one string, as blocks or as several messages, with or without the client's marks."""
    cuts = sorted(draw(st.lists(st.integers(1, max(1, len(text) - 1)), max_size=2, unique=True)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    if draw(st.booleans()):
        return [{"role": draw(st.sampled_from(["system", "developer"])), "content": piece} for piece in pieces]
    blocks: list[dict[str, Any]] = [{"type": "text", "text": piece} for piece in pieces]
    for block in blocks:
        if draw(st.integers(0, 3)) == 0:
            block["cache_control"] = draw(MARK)
    return [{"role": "system", "content": blocks}]


@st.composite
def conversations(draw: st.DrawFn, profile: Profile) -> list[dict[str, Any]]:
    """User messages, answers, and tool calls with their results."""
    turns: list[dict[str, Any]] = []
    for number in range(draw(st.integers(1, 4))):
        topics = draw(st.lists(st.sampled_from([f"topic{n}" for n in range(len(profile.modules))]), max_size=2))
        filler = draw(st.sampled_from(["please look at", "yes, go ahead", "hello", "zzz", ""]))
        turns.append({"role": "user", "content": f"{filler} {' '.join(topics)}".strip()})
        if draw(st.booleans()):
            said = draw(st.sampled_from([None, "I will look.", "Now tool_2, and topic1.", "Then tool_5 and tool_7."]))
            arguments = draw(st.sampled_from(["{}", '{"next": "tool_3"}']))
            function = {"name": f"tool_{number}", "arguments": arguments}
            call = {"id": f"c{number}", "type": "function", "function": function}
            turns.append({"role": "assistant", "content": said, "tool_calls": [call]})
            result: dict[str, Any] = {"role": "tool", "tool_call_id": f"c{number}", "content": "result"}
            if draw(st.integers(0, 3)) == 0:
                result["cache_control"] = draw(MARK)
            turns.append(result)
        turns.append({"role": "assistant", "content": "done"})
    return turns[: draw(st.integers(1, len(turns)))]


@st.composite
def requests(draw: st.DrawFn) -> tuple[Profile, dict[str, Any]]:
    profile = draw(profiles())
    system = _system(draw, draw(prompts(profile)))
    tools = [{"type": "function", "function": {"name": f"tool_{n}"}} for n in range(draw(st.integers(0, 3)))]
    for tool in tools:
        if draw(st.integers(0, 4)) == 0:
            tool["cache_control"] = draw(MARK)
    body = {"model": "m", "messages": [*system, *draw(conversations(profile))], "tools": tools, "temperature": 0.5}
    return profile, body


def _marks(body: dict[str, Any]) -> int:
    return json.dumps(body).count('"cache_control"')


def _rest(body: dict[str, Any]) -> dict[str, Any]:
    leading = 0
    while leading < len(body["messages"]) and body["messages"][leading]["role"] in ("system", "developer"):
        leading += 1
    return {**body, "messages": body["messages"][leading:]}


def _system_text(body: dict[str, Any]) -> str:
    text = ""
    for message in body["messages"]:
        if message["role"] not in ("system", "developer"):
            break
        content = message["content"]
        text += content if isinstance(content, str) else "".join(block["text"] for block in content)
    return text


walks = settings(max_examples=examples(250), deadline=None, suppress_health_check=[HealthCheck.too_slow])


@walks
@given(requests(), st.booleans())
def test_only_system_text_changes_and_input_never(sample: tuple[Profile, dict[str, Any]], takes_marks: bool) -> None:
    """Messages, tools and parameters go through byte for byte; the body that came in stays as it was."""
    profile, body = sample
    before = copy.deepcopy(body)
    walked = _walk(profile, body, takes_marks)
    assert body == before
    out, own = _rest(dict(walked.body)), _rest(before)
    kept, sent = in_blocks(own.pop("messages")), without_notes(out.pop("messages"))
    assert json.dumps(sent) == json.dumps(kept)
    assert json.dumps(out) == json.dumps(own)


@walks
@given(requests(), st.booleans())
def test_rewriting_twice_equals_once(sample: tuple[Profile, dict[str, Any]], takes_marks: bool) -> None:
    """A rewritten request passes through the walk unchanged."""
    profile, body = sample
    once = dict(_walk(profile, body, takes_marks).body)
    twice = dict(_walk(profile, once, takes_marks).body)
    assert json.dumps(twice, ensure_ascii=False) == json.dumps(once, ensure_ascii=False)


@walks
@given(requests())
def test_marks_stay_within_the_budget(sample: tuple[Profile, dict[str, Any]]) -> None:
    """At most four marks, unless the client itself sent more; the client's are never fewer than fit."""
    profile, body = sample
    out = dict(_walk(profile, body, True).body)
    assert _marks(out) <= max(4, _marks(body))
    assert json.dumps(_rest(out)).count("cache_control") == json.dumps(_rest(body)).count("cache_control")


@walks
@given(requests())
def test_no_marks_of_ours_where_they_are_not_taken(sample: tuple[Profile, dict[str, Any]]) -> None:
    """A provider that would choke on marks gets none beyond the client's own."""
    profile, body = sample
    assert _marks(dict(_walk(profile, body, False).body)) <= _marks(body)


@walks
@given(requests())
def test_spans_partition_the_prompt(sample: tuple[Profile, dict[str, Any]]) -> None:
    """Every character belongs to exactly one module, slot or residue."""
    profile, body = sample
    outcome = _walk(profile, body, True).outcome
    if isinstance(outcome, Rewritten):
        at = 0
        for span in outcome.recognition.spans:
            assert span.start == at
            at = span.end
        assert at == len(_system_text(body))


@walks
@given(requests())
def test_residue_slots_and_selected_modules_are_kept(sample: tuple[Profile, dict[str, Any]]) -> None:
    """What no module covers goes through verbatim, and so does every selected module and slot value."""
    profile, body = sample
    walked = _walk(profile, body, True)
    if not isinstance(walked.outcome, Rewritten):
        return
    text = _system_text(body)
    out = "".join(_texts(walked.body["messages"]))
    selected = {profile.order[module] for module in walked.outcome.decision.modules}
    for span in walked.outcome.recognition.spans:
        if span.kind != "module" or span.module in selected:
            assert text[span.start : span.end].strip() in out
    for noise in re.findall(r"UNKNOWN [^\r\n]+", text):
        assert noise.strip() in out


@walks
@given(profiles(), st.data())
def test_joined_prompt_is_recognised_whole(profile: Profile, data: st.DataObject) -> None:
    """The monolithic prompt, with any slot value, has nothing left over."""
    text = profile.text.replace(SLOT.sample, f"Stamp: {data.draw(st.integers(0, 999999))}.")
    body = {"messages": [{"role": "system", "content": text}, {"role": "user", "content": "topic1"}]}
    outcome = _walk(profile, body, True).outcome
    assert isinstance(outcome, Rewritten)
    assert outcome.recognition.coverage == 1.0
    assert {span.module for span in outcome.recognition.spans} == set(range(len(profile.modules)))


@walks
@given(requests())
def test_selections_only_grow(sample: tuple[Profile, dict[str, Any]]) -> None:
    """Each further message leaves at least what was selected before."""
    profile, body = sample
    seen: set[str] = set()
    for end in range(1, len(body["messages"]) + 1):
        cut = {**body, "messages": body["messages"][:end]}
        if body["messages"][end - 1]["role"] in ("system", "developer") or "user" not in {
            message["role"] for message in cut["messages"]
        }:
            continue
        outcome = _walk(profile, cut, True).outcome
        if isinstance(outcome, Rewritten):
            assert seen <= set(outcome.decision.modules)
            seen = set(outcome.decision.modules)


@settings(max_examples=examples(100), deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["role", "content", "type", "text", "tool_calls", "cache_control"]), inner, max_size=4
            )
        ),
        max_leaves=12,
    ),
    st.data(),
)
def test_any_body_is_walked_or_passed_through(junk: Any, data: st.DataObject) -> None:
    """Malformed messages never raise out of the walk; what isn't read passes through as it came."""
    messages = data.draw(
        st.sampled_from(
            [
                junk,
                [junk],
                [{"role": "system", "content": junk}],
                [{"role": "system", "content": "x"}, {"role": "user", "content": junk, "tool_calls": junk}],
            ]
        )
    )
    body = {"messages": messages, "tools": data.draw(st.sampled_from([None, junk, [junk]]))}
    profile = data.draw(profiles())
    walked = _walk(profile, body, True)
    if isinstance(walked.outcome, Passthrough):
        assert walked.body is body


def _texts(messages: list[dict[str, Any]]) -> Iterator[str]:
    for message in messages:
        content = message["content"] or ""
        yield from [content] if isinstance(content, str) else [block["text"] for block in content]


def _walk(profile: Profile, body: dict[str, Any], takes_marks: bool) -> Any:
    pipeline = Pipeline([profile], count_tokens, coverage_floor=0.0)
    return pipeline.walk(body, "acompletion", lambda: MARKS if takes_marks else NO_MARKS)
