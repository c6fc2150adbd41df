"""Well-formed calls of every endpoint, made by chance, and the answers that LiteLLM would log for them."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

from tests import made_profiles
from tests.end_to_end.workbench import PROMPT as WORKBENCH
from tests.end_to_end.workbench import as_contents, as_items, as_messages

ENDPOINTS = ("acompletion", "anthropic_messages", "aresponses", "agenerate_content", "agenerate_content_stream")
OTHER_ENDPOINTS = ("atext_completion", "aembedding")
GROUPS = ("claude", "opus", "gpt", "gemini", "mixed", "nobody")
MARKER = "zqxmarker"
"""In every message and in the residue of every prompt; no record may hold it."""
RESIDUE = "Own rule {number}: never forget the " + MARKER + " of dock {number}.\n"
_ASKS = (
    "Which quay is free for the Marlin?",
    "When is high tide tomorrow, and what does the weather look like?",
    "Quote the fee for three nights, 40 metres",
    "Write a letter to the master of the Osprey",
    "Sum up in/orders.csv by month",
    "Draw a chart of it and translate the title into French",
    "Commit the change on a new branch and push it",
    "yes, go on",
    "make it shorter",
    "thanks!",
    "你好，请查潮汐表",
)
_TOOLS = ("berth_plan", "tide_table", "fee_quote", "load_table", "read_file", "run_command")


def drawn_body(endpoint: str, rng: random.Random) -> dict[str, Any]:
    """One request as a well-behaved client sends it."""
    prompt = _with_residue(WORKBENCH if rng.random() < 0.06 else made_profiles.PROMPT, rng)
    messages = _conversation(rng)
    tools = [_tool(name) for name in rng.sample(_TOOLS, rng.randrange(4))]
    body: dict[str, Any] = {"model": rng.choice(GROUPS), "stream": rng.random() < 0.3}
    if endpoint == "aresponses":
        body |= {"input": as_items(messages), "tools": [{"type": "function", **tool["function"]} for tool in tools]}
        body |= {"instructions": prompt} if rng.random() < 0.7 else {}
        if "instructions" not in body:
            body["input"] = [{"role": "developer", "content": _in_form(prompt, rng, "input_text")}, *body["input"]]
    elif endpoint.startswith("agenerate_content"):
        body |= {"contents": as_contents(messages), "systemInstruction": {"parts": _parts(prompt, rng)}}
        body["tools"] = [{"functionDeclarations": [tool["function"] for tool in tools]}]
    elif endpoint == "anthropic_messages":
        body |= {"system": _in_form(prompt, rng), "messages": as_messages(messages), "max_tokens": 100}
        body["tools"] = [
            {"name": tool["function"]["name"], "input_schema": tool["function"]["parameters"]} for tool in tools
        ]
    else:
        role = rng.choice(["system", "system", "developer"])
        body |= {"messages": [{"role": role, "content": _in_form(prompt, rng)}, *messages], "tools": tools}
        if endpoint not in ENDPOINTS:
            body |= {"prompt": [prompt, "tide"], "input": [prompt]}
    if not tools:
        del body["tools"]
    if rng.random() < 0.2:
        body |= {"temperature": 0.2, "metadata": {"user_id": "u"}, "litellm_session_id": "s-1"}
    return json.loads(json.dumps(body))  # type: ignore[no-any-return]


def _with_residue(prompt: str, rng: random.Random) -> str:
    """The prompt with rules of the client's own between its paragraphs."""
    paragraphs = prompt.split("\n\n")
    for number in range(rng.randrange(3)):
        paragraphs.insert(rng.randrange(1, len(paragraphs)), RESIDUE.format(number=number).strip())
    return "\n\n".join(paragraphs)


def residue_of(text: str) -> list[str]:
    """The client's own rules in a text."""
    return [line for line in text.splitlines() if MARKER in line and line.startswith("Own rule")]


def _in_form(prompt: str, rng: random.Random, kind: str = "text") -> Any:
    drawn = rng.random()
    if drawn < 0.6:
        return prompt
    cut = prompt.find("\n\n", len(prompt) // 2) + 2 if drawn > 0.8 else 0
    blocks: list[dict[str, Any]] = [{"type": kind, "text": text} for text in (prompt[:cut], prompt[cut:]) if text]
    if rng.random() < 0.4:
        blocks[-1]["cache_control"] = {"type": "ephemeral"}
    return blocks


def _parts(prompt: str, rng: random.Random) -> list[dict[str, Any]]:
    cut = prompt.find("\n\n", len(prompt) // 2) + 2 if rng.random() < 0.3 else 0
    return [{"text": text} for text in (prompt[:cut], prompt[cut:]) if text]


def _conversation(rng: random.Random) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    for turn in range(rng.choice([1, 1, 2, 3, 4, 12])):
        text = f"{rng.choice(_ASKS)} {MARKER}"
        messages.append({"role": "user", "content": text})
        for step in range(rng.choice([0, 0, 1, 2])):
            call_id = f"call_{turn}_{step}"
            function = {"name": rng.choice(_TOOLS), "arguments": json.dumps({"path": f"{MARKER}.csv", "n": step})}
            calls = [{"id": call_id, "type": "function", "function": function}]
            messages.append({"role": "assistant", "content": None, "tool_calls": calls})
            messages.append({"role": "tool", "tool_call_id": call_id, "content": f"{MARKER},{step}"})
        messages.append({"role": "assistant", "content": f"Done. {MARKER}"})
    return messages if rng.random() < 0.1 else messages[:-1]


def _tool(name: str) -> dict[str, Any]:
    parameters = {"type": "object", "properties": {"path": {"type": "string", "description": MARKER}}}
    return {"type": "function", "function": {"name": name, "description": MARKER, "parameters": parameters}}


def drawn_answer(endpoint: str, rng: random.Random) -> dict[str, Any]:
    """What LiteLLM is to log: ``usage`` as JSON, and the fields of its event."""
    prompt, read, write = rng.randrange(20_000), rng.randrange(9_000), rng.randrange(9_000)
    shapes: Sequence[dict[str, Any]] = (
        {
            "prompt_tokens": prompt,
            "completion_tokens": 7,
            "prompt_tokens_details": {"cached_tokens": read, "cache_creation_tokens": write, "audio_tokens": 3},
            "completion_tokens_details": {"reasoning_tokens": 5},
            "server_tool_use": {"web_search_requests": rng.randrange(3)},
        },
        {
            "input_tokens": prompt,
            "output_tokens": 7,
            "cache_read_input_tokens": read,
            "cache_creation_input_tokens": write,
            "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": write},
        },
        {"input_tokens": prompt, "output_tokens": 7, "input_tokens_details": {"cached_tokens": read}},
        {"promptTokenCount": prompt, "candidatesTokenCount": 7, "cachedContentTokenCount": read},
        {"inputTokens": prompt, "outputTokens": 7, "cacheDetails": [{"ttl": "1h", "inputTokens": write}]},
        {"prompt_tokens": prompt, "completion_tokens": 7, "prompt_cache_hit_tokens": read},
    )
    event = {
        "model": rng.choice(["claude-sonnet-4-5", "claude-opus-5", "gpt-4.1", "gemini-2.5-pro", "unheard-of"]),
        "custom_llm_provider": rng.choice(["anthropic", "openai", "gemini", "bedrock"]),
        "response_cost": rng.choice([0.01, 0.0, None]),
        "stream": rng.random() < 0.3,
        "cache_hit": rng.random() < 0.05,
        "optional_params": {"api_base": "https://example.test/v1"},
        "standard_logging_object": {"cost_breakdown": {"input_cost": 0.01, "output_cost": 0.002}, "metadata": {}},
        "litellm_params": {"model_info": {"id": "d-claude"}, "api_base": "https://example.test/v1"},
    }
    message = {"role": "assistant", "content": MARKER}
    form = rng.choice(["model_response", "model_response", "object", "dict", "none", "failure"])
    return {"form": form, "usage": rng.choice(shapes), "event": event, "message": message}
