"""What clients really put into prompts and histories, through a real proxy: quotations, empty and missing contents."""

from __future__ import annotations

from typing import Any

import pytest

from tests.emulators.two_keys import KeyName, TwoKeyProxy
from tests.end_to_end.workbench import PROFILE, PROMPT, marks, record_of, system_text, without_marks, without_system

pytestmark = pytest.mark.proxy

GIT = PROFILE.modules[PROFILE.order["tools/git"]].text
MEMORY = f"<user_memory>The section quoted below is out of date; never follow it:\n{GIT}</user_memory>"
QUOTING = {
    "behind the prompt": f"{PROMPT}\n{MEMORY}",
    "before the prompt": f"{MEMORY}\n\n{PROMPT}",
    "in the prompt": PROMPT.replace(GIT, f"{MEMORY}\n\n{GIT}"),
    "in a fence": f"{PROMPT}\nNever follow this:\n````\n{GIT}````\n",
    "where the prompt has no such section": f"{PROMPT.replace(GIT, '')}\n{MEMORY}",
}
NEEDING = {"no git": "Sum up in/orders.csv by month", "git": "Commit the change on a new branch and push it"}


def post(proxy: TwoKeyProxy, path: str, body: dict[str, Any], key: KeyName = "alpha") -> Any:
    """The answer, as a client without an SDK gets it; SDKs refuse some of these bodies."""
    with proxy.openai(key) as client:
        return client._client.post(
            f"{proxy.url}{path}", json=body, headers={"Authorization": f"Bearer {proxy.keys[key]}"}
        )


def sent(proxy: TwoKeyProxy) -> Any:
    (request,) = proxy.upstream.calls
    proxy.upstream.clear()
    return request.json


@pytest.mark.parametrize("task", NEEDING.values(), ids=NEEDING)
@pytest.mark.parametrize("system", QUOTING.values(), ids=QUOTING)
@pytest.mark.parametrize("endpoint", ["/v1/messages", "/v1/chat/completions"])
def test_text_that_quotes_a_section_is_the_users(
    two_key_proxy: TwoKeyProxy, endpoint: str, system: str, task: str
) -> None:
    """The quotation arrives whole and once, needed or not; the section itself where it is needed."""
    two_key_proxy.clear()
    user = {"role": "user", "content": task}
    body: dict[str, Any] = {"model": "claude", "max_tokens": 50, "messages": [user]}
    if endpoint == "/v1/messages":
        body["system"] = system
    else:
        body["messages"] = [{"role": "system", "content": system}, user]
    answer = post(two_key_proxy, endpoint, body)
    assert answer.status_code == 200
    assert answer.headers["x-prompt-router-outcome"] == "rewritten"
    text = system_text(sent(two_key_proxy))
    block = MEMORY if MEMORY in system else f"Never follow this:\n````\n{GIT}````"
    assert text.count(block) == 1
    own = system.replace(block, "").count(GIT.strip()) * ("Commit" in task)
    assert text.replace(block, "").count(GIT.strip()) == own


THINKING = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
ENDS = {
    "an empty text block": [{"type": "text", "text": "Go on."}, {"type": "text", "text": ""}],
    "nothing but an empty text block": [{"type": "text", "text": ""}],
}
ANSWERS = {
    "a thinking block": [{"type": "text", "text": "Done."}, THINKING],
    "thinking first": [THINKING, {"type": "text", "text": "Done."}],
    "an empty text block": [{"type": "text", "text": "Done."}, {"type": "text", "text": ""}],
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("said", ANSWERS.values(), ids=ANSWERS)
def test_no_mark_on_an_empty_or_a_thinking_block(two_key_proxy: TwoKeyProxy, said: Any, end: Any) -> None:
    """Anthropic refuses a mark on either: 1 to 4 marks, none of them there."""
    two_key_proxy.clear()
    messages = [
        {"role": "user", "content": "Sum up in/orders.csv by month"},
        {"role": "assistant", "content": said},
        {"role": "user", "content": end},
    ]
    body = {"model": "claude", "max_tokens": 2000, "system": PROMPT, "messages": messages}
    answer = post(two_key_proxy, "/v1/messages", body)
    assert answer.status_code == 200, answer.text
    out = sent(two_key_proxy)
    assert 1 <= marks(out) <= 4
    blocks = [block for m in out["messages"] if isinstance(m["content"], list) for block in m["content"]]
    marked = [block for block in blocks if "cache_control" in block]
    assert all(block["type"] != "thinking" and block.get("text") != "" for block in marked)


RESULT = {"role": "tool", "tool_call_id": "call_9", "content": "7 rows"}
ODD: dict[str, list[dict[str, Any]]] = {
    "content null": [{"role": "assistant", "content": None}],
    "content empty": [{"role": "assistant", "content": []}],
    "a part without text": [{"role": "user", "content": [{"type": "text"}, {"type": "text", "text": "yes"}]}],
    "a tool result without a call": [RESULT],
}


@pytest.mark.parametrize("model", ["claude", "gpt"])
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_odd_messages_are_rewritten_as_they_would_go_without_us(
    two_key_proxy: TwoKeyProxy, odd: list[dict[str, Any]], model: str
) -> None:
    """Messages are the same with the router on and off, and so is the answer; only a system prompt is shorter."""
    messages = [
        {"role": "system", "content": PROMPT},
        {"role": "user", "content": "Sum up in/orders.csv by month"},
        *odd,
        {"role": "user", "content": "yes, go on"},
    ]
    answers, bodies = [], []
    for key in ("alpha", "beta"):
        two_key_proxy.clear()
        body = {"model": model, "messages": messages, "metadata": None}
        answers.append(post(two_key_proxy, "/v1/chat/completions", body, key))
        bodies.append([request.json for request in two_key_proxy.upstream.calls])
    assert answers[0].status_code == answers[1].status_code
    assert len(bodies[0]) == len(bodies[1])
    if answers[1].status_code != 200:  # LiteLLM refuses it by itself
        return
    assert answers[0].headers["x-prompt-router-outcome"] == "rewritten"
    on, off = bodies[0][0], bodies[1][0]
    assert _plain(on) == _plain(off)
    assert len(system_text(on)) < 0.6 * len(system_text(off))
    assert record_of(two_key_proxy.ledger_path, answers[0])["outcome"] == "rewritten"


def _plain(body: Any) -> Any:
    """All but the system prompt, without what helps the cache: a marked string is a block."""
    rest = without_marks(without_system(body))
    rest.pop("prompt_cache_key", None)
    for message in rest["messages"]:
        if isinstance(message.get("content"), str):
            message["content"] = [{"type": "text", "text": message["content"]}]
    return rest
