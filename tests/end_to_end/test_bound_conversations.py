"""Conversations whose provider holds replayed thinking to what stands ahead of it, while what is in force changes."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.emulators.envelopes import Envelopes
from tests.emulators.policy_proxy import MARGIN_SECONDS, RELOAD_SECONDS, PolicyProxy, running_policy_proxy
from tests.emulators.upstream import Upstream
from tests.end_to_end.test_prefix_law import ASKS, user
from tests.end_to_end.workbench import MESSAGES_TOOLS, PROMPT

pytestmark = [pytest.mark.proxy]

REWRITE = "stop: false\ndefaults: {mode: rewrite}\n"
STOP = "stop: true\ndefaults: {mode: rewrite}\n"
OFF = "stop: false\ndefaults: {mode: off}\n"
SHADOW = "stop: false\ndefaults: {mode: shadow}\n"
LATEST = "stop: false\ndefaults: {mode: rewrite, placement: latest}\n"
NOBODY = "stop: false\ndefaults: {mode: rewrite, percent: 0}\n"
NOT_THIS_KEY = "stop: false\nrules: [{keys: [key-0], mode: off}]\ndefaults: {mode: rewrite}\n"
HELD_OUT = "stop: false\ndefaults: {mode: rewrite, holdout: 1.0}\n"


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PolicyProxy]:
    """Two workers, who know of each other's conversations through the folder of their status files."""
    with (
        Upstream() as upstream,
        Envelopes() as envelopes,
        running_policy_proxy(
            upstream,
            envelopes,
            tmp_path_factory.mktemp("bound"),
            workers=2,
            policy=REWRITE,
            settings={"cost_gate": False},
        ) as proxy,
    ):
        yield proxy


class Talk:
    """A conversation that replays its thinking. Each answer has to be a 200."""

    def __init__(self, proxy: PolicyProxy, opening: str) -> None:
        self.proxy = proxy
        self.messages: list[dict[str, Any]] = []
        self.opening = opening

    def __call__(self, ask: str) -> str:
        """The system prompt that the provider got."""
        self.messages.append(user(f"{self.opening} {ask}" if not self.messages else ask))
        response = post(self.proxy, self.messages)
        assert response.status_code == httpx.codes.OK, response.text[:1_000]
        content = response.json()["content"]
        assert content[0]["type"] == "thinking"
        self.messages.append({"role": "assistant", "content": content})
        return system_of(self.proxy)


def post(proxy: PolicyProxy, messages: list[dict[str, Any]], system: str = PROMPT) -> httpx.Response:
    body = {
        "model": "fable",
        "max_tokens": 2_000,
        "system": system,
        "messages": messages,
        "tools": MESSAGES_TOOLS,
        "thinking": {"type": "enabled", "budget_tokens": 1_024},
    }
    with proxy.client("key-0") as client:
        return client.post("/v1/messages", json=body)


def system_of(proxy: PolicyProxy) -> str:
    system = proxy.upstream.calls[-1].json["system"]
    return system if isinstance(system, str) else "".join(block["text"] for block in system)


def put(proxy: PolicyProxy, text: str, holds: Callable[[str, httpx.Response], bool]) -> None:
    """The policy, in force in both workers: for conversations that begin it has to hold."""
    proxy.replace(proxy.policy_path, text)
    until(proxy, holds)


def until(proxy: PolicyProxy, holds: Callable[[str, httpx.Response], bool]) -> None:
    deadline = time.monotonic() + RELOAD_SECONDS + MARGIN_SECONDS
    row = 0
    while row < 10:
        assert time.monotonic() < deadline, "not in force everywhere"
        response = post(proxy, [user(f"{time.monotonic()} {ASKS[0]}")])
        row = row + 1 if holds(system_of(proxy), response) else 0


def is_whole(system: str, _: httpx.Response) -> bool:
    return system == PROMPT


def is_rewritten(system: str, response: httpx.Response) -> bool:
    return system != PROMPT and response.headers.get("x-prompt-router-outcome") == "rewritten"


@pytest.fixture(autouse=True)
def back_to_rewriting(proxy: PolicyProxy) -> None:
    put(proxy, REWRITE, is_rewritten)


@pytest.mark.parametrize("policy", [STOP, OFF, SHADOW, NOBODY, NOT_THIS_KEY, HELD_OUT], ids=repr)
def test_what_began_rewritten_stays_so(proxy: PolicyProxy, policy: str) -> None:
    """Whatever leaves new conversations alone, in both workers; one that opens with the same words is a new one."""
    talk = Talk(proxy, f"First. {policy}")
    began = talk(ASKS[0])
    assert began != PROMPT
    put(proxy, policy, is_whole)
    other = Talk(proxy, f"First. {policy}")
    assert other(ASKS[0]) == PROMPT
    assert [talk(ask) for ask in (ASKS[1], ASKS[3], ASKS[0], ASKS[1])] == [began] * 4
    assert [other(ask) for ask in (ASKS[1], ASKS[3])] == [PROMPT] * 2
    put(proxy, REWRITE, is_rewritten)
    assert [talk(ask) for ask in (ASKS[1], ASKS[3])] == [began] * 2
    assert [other(ask) for ask in (ASKS[1], ASKS[3])] == [PROMPT] * 2


@pytest.mark.parametrize("policy", [STOP, OFF, SHADOW, NOBODY, NOT_THIS_KEY, HELD_OUT], ids=repr)
def test_what_began_as_it_came_stays_so(proxy: PolicyProxy, policy: str) -> None:
    """A late canary, a key switched on, a start: not for conversations under way."""
    put(proxy, policy, is_whole)
    talk = Talk(proxy, f"Second. {policy}")
    assert talk(ASKS[0]) == PROMPT
    put(proxy, REWRITE, is_rewritten)
    assert [talk(ask) for ask in (ASKS[1], ASKS[3], ASKS[0], ASKS[1])] == [PROMPT] * 4


def test_a_profile_takes_the_place_of_another(proxy: PolicyProxy, tmp_path: Path) -> None:
    """The older version stays loaded for conversations that began under it."""
    talk = Talk(proxy, "Third.")
    began = talk(ASKS[0])
    folder = proxy.folder / "profiles" / "workbench"
    shutil.copytree(folder, tmp_path / "before")
    declared = folder / "profile.yaml"
    text = declared.read_text(encoding="utf-8")
    kept: list[str] = [began]
    head, _, modules = text.partition("\nmodules:")
    everything = modules.replace("    title:", "    always: true\n    title:")
    proxy.replace(declared, f"{head}\nmodules:{everything}")
    until(proxy, lambda system, _: len(system) > len(began))
    kept += [talk(ask) for ask in (ASKS[1], ASKS[3], ASKS[0], ASKS[1])]
    assert kept == [began] * 5
    shutil.copy(tmp_path / "before" / "profile.yaml", declared)
    until(proxy, lambda system, _: len(system) < len(PROMPT) * 0.8)
    assert talk(ASKS[1]) == began


def test_a_prompt_that_nobody_knows_is_told_as_such(proxy: PolicyProxy) -> None:
    """Replayed thinking of a conversation that nobody saw begin doesn't hide that its prompt has drifted."""
    thinking = {"type": "thinking", "thinking": "Well.", "signature": "c2lnbmVk"}
    messages = [
        user(ASKS[0]),
        {"role": "assistant", "content": [thinking, {"type": "text", "text": "Yes."}]},
        user(ASKS[1]),
    ]
    response = post(proxy, messages, system=f"You are somebody else. {ASKS[3]} " * 40)
    assert response.headers.get("x-prompt-router-reason") == "unrecognised"
    response = post(proxy, messages)
    assert response.headers.get("x-prompt-router-reason") == "began_unrewritten"
