"""What a worker keeps in memory is in its status, with the limit of each."""

from __future__ import annotations

import ast
from pathlib import Path

import litellm
import pytest

import litellm_prompt_router
from litellm_prompt_router.gateway.deployments import translation
from tests.gateway.test_hook_dispatch import WORKBENCH, dispatch, key
from tests.gateway.test_unreviewed import hook_of, request

PACKAGE = Path(litellm_prompt_router.__file__).parent
STARTED_BY_SETTINGS = {"captured requests", "GlitchTip events", "token counts"}


NAMED_BY_CALLERS = {"RememberedBlocks", "_Lookups"}
"""Classes that are given the name that they register."""


def registered_names() -> set[str]:
    """What the package's code registers."""
    calls = [
        node
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
    ]
    names = [call.args[1] for call in calls if called(call) == "register_memory"]
    given = [name for name in names if isinstance(name, ast.Name)]
    assert len(given) == len(NAMED_BY_CALLERS)
    names = [name for name in names if name not in given]
    names += [call.args[0] for call in calls if called(call) in NAMED_BY_CALLERS]
    return {ast.literal_eval(name) for name in names}


def called(call: ast.Call) -> str | None:
    """The name of what is called, whatever its type's parameters."""
    named = call.func.value if isinstance(call.func, ast.Subscript) else call.func
    return named.id if isinstance(named, ast.Name) else None


async def test_a_worker_tells_each_memory_with_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once a request went through; of a memory that has several owners, their sum."""
    hook = hook_of(WORKBENCH, tmp_path / "ledger.jsonl")
    monkeypatch.setattr(litellm, "callbacks", [hook])
    await dispatch(request("acompletion"), key(enabled=True), "acompletion")
    memories = {memory["name"]: memory for memory in hook._dispatcher.status()["memories"]}
    hook.close()
    assert registered_names() - STARTED_BY_SETTINGS <= set(memories)
    assert all(0 <= memory["entries"] <= memory["limit"] for memory in memories.values())
    assert memories["requests in flight"]["entries"] >= 1
    assert 0 < memories["requests in flight"]["size_bytes"] < memories["requests in flight"]["max_bytes"]


def test_tools_that_bodies_were_made_of_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that are each conversation's own have the same tools remembered again and again."""
    monkeypatch.setattr(translation, "MAX_ENVELOPE_BYTES", 20_000)
    monkeypatch.setattr(translation, "MAX_ENVELOPES", 8)
    monkeypatch.setattr(translation, "MAX_SAME", 8)
    wire, plain = translation.ClaudeWire("claude-sonnet-4-5"), translation.ClaudeWire("claude-sonnet-4-5")
    tool = {"type": "function", "function": {"name": "look", "description": "Looks. " * 500}}
    for number in range(12):
        chat = {
            "messages": [{"role": "system", "content": "You look."}, {"role": "user", "content": "Look."}],
            "tools": [tool],
            "max_tokens": 100 + number,
        }
        assert wire.body_of_parts(chat) == plain.body(chat)
        assert wire.body_of_parts(chat) == plain.body(chat)
    assert len(wire._envelopes) == 5
    assert sum(name.size_bytes for name in wire._envelopes) <= 20_000
    assert len(wire._same) == 8
