"""Prompts in the shapes that real agents give them, through LiteLLM's own dispatch: recognised, and whole."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import litellm
import pytest
from litellm.caching.caching import DualCache
from litellm.proxy._types import UserAPIKeyAuth
from litellm.proxy.utils import ProxyLogging

from litellm_prompt_router.files import bundled_profiles, load_profiles
from litellm_prompt_router.gateway.plugin import PromptRouter
from litellm_prompt_router.policy.active import active_configuration
from litellm_prompt_router.policy.settings import load_settings
from litellm_prompt_router.profile.agents import AGENTS
from litellm_prompt_router.profile.patterns import compile_pattern
from litellm_prompt_router.profile.profile import Slot
from litellm_prompt_router.profile.tokens import token_counter
from litellm_prompt_router.request.pipeline import Pipeline
from litellm_prompt_router.request.types import Rewritten, Target
from tests.gateway.left_facts import left_facts
from tests.made_profiles import HARBOUR, NO_MARKS, TAKES_MARKS, count_words, module, profile
from tests.request.test_own_words import COMPACT, REMINDER

COUNT = token_counter()
PROFILES = load_profiles(bundled_profiles(), COUNT)
WORKBENCH = next(one for one in PROFILES if one.name == "workbench")
PROMPT = WORKBENCH.text
TASK = "Sum up orders.csv by month"
UNKNOWN = "Quibble the frobnicated zanzibar"
BILLING = "x-billing: version=2.1.197.a3f; entry=cli; nonce=9c1e2;\n"
GIT = "\n\ngitStatus: at the start of the conversation\nbranch: main\nM src/cart.py\n"
GOAL = ("You are Coder. You wrote software for twenty years.\nYour personal goal is: ", "\nBegin now, and be thorough.")
THIRDS = [PROMPT.find("\n\n", len(PROMPT) * n // 3) + 2 for n in (1, 2)]
PARTS = (PROMPT[: THIRDS[0]], PROMPT[THIRDS[0] : THIRDS[1]], PROMPT[THIRDS[1] :])


@pytest.fixture
def hook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PromptRouter]:
    """The callback as the proxy holds it, alone in LiteLLM's list."""
    settings = load_settings({"ledger": {"path": str(tmp_path / "ledger.jsonl")}}, {})
    hook = PromptRouter(
        active_configuration(settings, Pipeline(PROFILES, COUNT, coverage_floor=settings.coverage_floor))
    )
    monkeypatch.setattr(litellm, "callbacks", [hook])
    yield hook
    hook.close()


async def dispatch(messages: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """What LiteLLM goes on with; the messages that came in are checked to be as they were."""
    before = copy.deepcopy(messages)
    logging = ProxyLogging(user_api_key_cache=DualCache())
    data = {"model": "claude", "messages": messages, "metadata": {}, **more}
    who = UserAPIKeyAuth(api_key="0" * 64, key_alias="alpha", metadata={})
    out: dict[str, Any] = await logging.pre_call_hook(user_api_key_dict=who, data=data, call_type="acompletion")
    assert messages == before
    return out


def system(*contents: Any) -> list[dict[str, Any]]:
    return [{"role": "system", "content": content} for content in contents]


def blocks(*texts: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": text} for text in texts]


def texts(messages: list[dict[str, Any]]) -> list[str]:
    """The texts of the leading system messages, block by block."""
    found: list[str] = []
    for message in messages:
        if message["role"] not in ("system", "developer"):
            break
        content = message["content"]
        found += [content] if isinstance(content, str) else [block["text"] for block in content]
    return found


SHAPES: dict[str, tuple[list[dict[str, Any]], tuple[str, ...]]] = {
    "verbatim": (system(PROMPT), ()),
    "stripped": (system(PROMPT.strip()), ()),
    "wrapped": (system(PROMPT.join(GOAL)), GOAL),
    "twice": (system(f"{PROMPT}\n\n{PROMPT}"), ()),
    "over three messages": (system(*PARTS), ()),
    "over three messages, each stripped": (system(*(part.strip() for part in PARTS)), ()),
    "over three blocks": (system(blocks(*PARTS)), ()),
    "followed by what varies": (system(PROMPT + GIT), (GIT.strip(),)),
    "followed by a message of what varies": (system(PROMPT, GIT), (GIT,)),
    "behind a billing line": (system(BILLING + PROMPT), (BILLING.strip(),)),
    "behind a block with a billing line": (system(blocks(BILLING, "You are the official tool.", PROMPT)), (BILLING,)),
    "a developer's": ([{"role": "developer", "content": PROMPT}], ()),
}


@pytest.mark.parametrize(("prompt", "extra"), SHAPES.values(), ids=SHAPES.keys())
async def test_a_prompt_is_recognised_in_every_shape(
    hook: PromptRouter, prompt: list[dict[str, Any]], extra: tuple[str, ...]
) -> None:
    """The needed modules leave and what isn't the profile's, in one piece; what isn't needed doesn't."""
    messages = [*prompt, {"role": "user", "content": TASK}]
    out = await dispatch(messages)
    facts = left_facts(out["metadata"])
    assert facts["outcome"] == "rewritten"
    assert facts["coverage"] > 0.95
    sent = "\n".join(texts(out["messages"]))
    assert len(sent) < 0.7 * sum(map(len, texts(messages)))
    assert [text for text in extra if text not in sent] == []
    selected = {name for name, *_ in facts["modules"]}
    assert "tools/data_processing" in selected
    heads = {one.id: one.text.strip().splitlines()[0] for one in WORKBENCH.modules}
    lines = [line.strip() for line in sent.splitlines()]
    assert {name for name, head in heads.items() if any(line.endswith(head) for line in lines)} == selected


@pytest.mark.parametrize("prompt", [prompt for prompt, _ in SHAPES.values()], ids=SHAPES.keys())
async def test_with_every_module_nothing_is_lost(hook: PromptRouter, prompt: list[dict[str, Any]]) -> None:
    """Not a character; white space may come where a volatile slot went last."""
    messages = [*prompt, {"role": "user", "content": UNKNOWN}]
    out = await dispatch(messages)
    facts = left_facts(out["metadata"])
    assert facts["is_fallback"]
    before, after = texts(messages), texts(out["messages"])
    assert Counter("".join("".join(after).split())) == Counter("".join("".join(before).split()))
    assert all(part in "".join(after) for text in before for part in text.split("\n\n"))


async def test_later_system_messages_stay_where_they_are(hook: PromptRouter) -> None:
    """In the middle (Claude Code) and behind the last user message (aider), byte for byte."""
    rules = "# *SEARCH/REPLACE block* Rules:\n\nEvery *SEARCH/REPLACE block* must use the full path."
    rest: list[dict[str, Any]] = [
        {"role": "user", "content": TASK},
        {"role": "system", "content": "The following skills are there: charts, letters."},
        {"role": "assistant", "content": "Done."},
        {"role": "user", "content": blocks("yes")},
        {"role": "system", "content": [{"type": "text", "text": rules, "cache_control": {"type": "ephemeral"}}]},
    ]
    out = await dispatch([*system(PROMPT), *rest])
    assert left_facts(out["metadata"])["outcome"] == "rewritten"
    assert out["messages"][1:] == rest


TITLE = "Write a title of at most six words for this conversation. Answer with the title alone."
SIDE_CALLS = {
    "a title": ([*system(TITLE), {"role": "user", "content": TASK}], "unrecognised"),
    "a title under the agent's identity": (
        [*system(blocks(BILLING, PROMPT[:100], TITLE)), {"role": "user", "content": TASK}],
        "unrecognised",
    ),
    "a probe of the quota": ([{"role": "user", "content": "quota"}], "no_system_prompt"),
    "a commit message": ([*system("Write a commit message."), {"role": "user", "content": "diff"}], "unrecognised"),
    "memory, with tools": (
        [*system("Pick out what is worth remembering."), {"role": "user", "content": TASK}],
        "unrecognised",
    ),
}


@pytest.mark.parametrize(("messages", "reason"), SIDE_CALLS.values(), ids=SIDE_CALLS.keys())
async def test_side_calls_pass_through_and_are_no_conversation(
    hook: PromptRouter, messages: list[dict[str, Any]], reason: str
) -> None:
    """Told by their prompt, with the parent's session and with tools as much as without."""
    tools = [{"type": "function", "function": {"name": "load_table", "parameters": {}}}]
    session = {"litellm_session_id": "s-1", "tools": tools}
    out = await dispatch(messages, **session)
    facts = left_facts(out["metadata"])
    assert (facts["outcome"], facts["reason"]) == ("passthrough", reason)
    assert out["messages"] is messages
    main = await dispatch([*system(PROMPT), {"role": "user", "content": TASK}], **session)
    assert facts["caller"]["conversation"] != left_facts(main["metadata"])["caller"]["conversation"]


async def test_a_compaction_call_changes_nothing_of_what_was_sent(hook: PromptRouter) -> None:
    """It has the whole prompt and all tools, and its prompt is the one of the call before."""
    messages = [*system(PROMPT), {"role": "user", "content": TASK}, {"role": "assistant", "content": "Done."}]
    before = await dispatch([*messages, {"role": "user", "content": "yes"}])
    compacting = {"role": "user", "content": f"{COMPACT} Name charts, branches and web pages."}
    after = await dispatch([*messages, compacting])
    assert after["messages"][:-1] == before["messages"][:-1]
    assert after["messages"][-1] == compacting


async def test_sizes_of_what_isnt_system_text(hook: PromptRouter) -> None:
    """Tools as JSON, and the history's text."""
    tools = [{"type": "function", "function": {"name": "é", "parameters": {}}}]
    messages = [*system(PROMPT), {"role": "user", "content": blocks("one", "two")}]
    facts = left_facts((await dispatch(messages, tools=tools))["metadata"])
    assert facts["tools_chars"] == len('[{"type":"function","function":{"name":"é","parameters":{}}}]')
    assert facts["history_chars"] == len("one\ntwo")
    facts = left_facts((await dispatch([{"role": "user", "content": "hello"}]))["metadata"])
    assert (facts["tools_chars"], facts["history_chars"]) == (0, 5)


# A varying block at the head, as a slot

NONCE = Slot(
    name="billing",
    pattern=compile_pattern(r"x-billing: [^\n]*\n"),
    sample=BILLING,
    volatile=True,
    max_chars=200,
)
BILLED = profile(module("billing", NONCE, "You run on behalf of the port.\n\n", always=True), *HARBOUR.modules)


@pytest.mark.parametrize("target", [TAKES_MARKS, NO_MARKS], ids=["marks", "no marks"])
def test_a_billing_line_that_varies_goes_last(target: Target) -> None:
    """As a volatile slot: two conversations share every byte ahead of it."""
    pipeline = Pipeline([replace(BILLED, ignore=AGENTS["claude-code"])], count_words, coverage_floor=0.5)
    sent = []
    for nonce in ("9c1e2", "ffab0"):
        billing = BILLING.replace("9c1e2", nonce)
        content = blocks(billing, BILLED.text.removeprefix(BILLING))
        body = {"messages": [*system(content), {"role": "user", "content": blocks(REMINDER, "Is a berth free?")}]}
        walked = pipeline.walk(body, "acompletion", lambda: target)
        assert isinstance(walked.outcome, Rewritten)
        assert walked.outcome.decision.query_chars == len("Is a berth free?")
        text = "".join(texts([*walked.body["messages"]]))
        assert text.endswith(billing)
        sent.append(text.removesuffix(billing))
    assert sent[0] == sent[1]
