"""What a worker keeps in memory is in its status, with the limit of each."""

from __future__ import annotations

import ast
from pathlib import Path

import litellm
import pytest

import litellm_prompt_router
from tests.gateway.test_hook_dispatch import WORKBENCH, dispatch, key
from tests.gateway.test_unreviewed import hook_of, request

PACKAGE = Path(litellm_prompt_router.__file__).parent
STARTED_BY_SETTINGS = {"captured requests", "GlitchTip events", "token counts"}


def registered_names() -> set[str]:
    """What the package's code registers."""
    calls = [
        node
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "register_memory"
    ]
    return {ast.literal_eval(call.args[1]) for call in calls}


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
