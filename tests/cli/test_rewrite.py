"""``rewrite``: the body as the proxy would send it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from litellm_prompt_router.files import bundled_profiles, load_profile
from tests.cli.conftest import TOY_PROMPT, Run

ROOT = Path(__file__).parents[2]
PROMPT = load_profile(bundled_profiles() / "workbench", len).text
CLAUDE = "anthropic/claude-sonnet-4-5"
TASK = "Sum up in/orders.csv by region. Größe? 你好 \ud83d é"


TOOLS = [{"type": "function", "function": {"name": "x"}}]


def _body(system: str, *users: str, **rest: Any) -> dict[str, Any]:
    turns = [{"role": "user", "content": text} for text in users]
    return {"model": CLAUDE, "messages": [{"role": "system", "content": system}, *turns], **rest}


@pytest.mark.full
def test_a_model_that_only_the_proxy_knows_leaves_stdout_to_the_body() -> None:
    """A process of its own: LiteLLM prints for the first caller what another test may have silenced."""
    body = {**_body(PROMPT, TASK), "model": "main-model"}
    command = [sys.executable, "-m", "litellm_prompt_router.cli", "rewrite", "-"]
    done = subprocess.run(command, input=json.dumps(body), capture_output=True, text=True, cwd=ROOT, check=True)
    assert json.loads(done.stdout)["model"] == "main-model"


def test_user_messages_stay_and_the_prompt_shrinks(run: Run) -> None:
    body = _body(PROMPT, TASK, "  \r\nyes\t", temperature=0.25, tools=TOOLS)
    result = run("rewrite", "-", stdin=json.dumps(body))
    assert (result.exit_code, result.stderr) == (0, "")
    sent = json.loads(result.stdout_bytes)
    assert sent["messages"][-2:] == body["messages"][-2:]
    assert sent.pop("cache_control_injection_points") == [{"location": "message", "index": -1}]
    assert {**sent, "messages": None} == {**body, "messages": None}
    blocks = [block for message in sent["messages"][:-2] for block in message["content"]]
    text = "".join(block["text"] for block in blocks)
    assert "load_table" in text
    assert "open_pull_request" not in text
    assert len(text) < len(PROMPT) / 2
    assert [block.get("cache_control") for block in blocks] == [{"type": "ephemeral"}, {"type": "ephemeral"}, None]


def test_of_a_profile_that_nobody_reviewed_the_proxy_sends_what_came(run: Run, toy_root: Path) -> None:
    """Shown is what it would send after a review; stderr says that it doesn't yet."""
    yaml_file = toy_root / "toy" / "profile.yaml"
    body = json.dumps(_body(TOY_PROMPT, "sum up this csv"))
    reviewed = run("rewrite", "-", "--profiles", toy_root, stdin=body)
    assert reviewed.stderr == ""
    yaml_file.write_text(yaml_file.read_text() + "reviewed: false\n")
    draft = run("rewrite", "-", "--profiles", toy_root, stdin=body)
    assert draft.stdout == reviewed.stdout
    told = "toy: not reviewed, so the proxy sends the request as it came; read `prompt-router review toy`, then accept"
    assert draft.stderr.startswith(told)


def test_a_messages_body_is_one_again(run: Run) -> None:
    """Anthropic's shape comes out as it came in: blocks in `system`, the history's end marked in its own block."""
    body = {
        "model": CLAUDE,
        "max_tokens": 9,
        "system": PROMPT,
        "messages": [{"role": "user", "content": TASK}],
        "tools": [{"name": "x", "input_schema": {"type": "object"}}],
    }
    result = run("rewrite", "-", stdin=json.dumps(body))
    assert (result.exit_code, result.stderr) == (0, "")
    sent = json.loads(result.stdout_bytes)
    mark = {"type": "ephemeral"}
    assert [block.get("cache_control") for block in sent["system"]] == [mark, mark, None]
    assert sent["messages"] == [{"role": "user", "content": [{"type": "text", "text": TASK, "cache_control": mark}]}]
    assert {**sent, "system": 0, "messages": 0} == {**body, "system": 0, "messages": 0}


def test_a_responses_body_is_one_again(run: Run) -> None:
    """`instructions` stay a string, and the items as they are."""
    tools = [{"type": "function", "name": "x", "parameters": {"type": "object"}}]
    asked = [{"role": "user", "content": TASK}]
    body = {"model": "gpt-4.1", "instructions": PROMPT, "input": asked, "tools": tools, "store": False}
    result = run("rewrite", "-", stdin=json.dumps(body))
    assert (result.exit_code, result.stderr) == (0, "")
    sent = json.loads(result.stdout_bytes)
    assert sent.pop("prompt_cache_key").startswith("workbench-")
    assert len(sent["instructions"]) < len(PROMPT) / 2
    assert {**sent, "instructions": 0} == {**body, "instructions": 0}


def test_a_gemini_body_is_one_again(run: Run) -> None:
    """The instruction is the only thing that changes."""
    contents = [{"role": "user", "parts": [{"text": TASK}]}]
    instruction = {"parts": [{"text": PROMPT}]}
    tools = [{"functionDeclarations": [{"name": "x"}]}]
    body = {
        "model": "gemini/gemini-2.5-pro",
        "systemInstruction": instruction,
        "contents": contents,
        "tools": tools,
    }
    result = run("rewrite", "-", stdin=json.dumps(body))
    assert (result.exit_code, result.stderr) == (0, "")
    sent = json.loads(result.stdout_bytes)
    assert len(sent["systemInstruction"]["parts"][0]["text"]) < len(PROMPT) / 2
    assert {**sent, "systemInstruction": 0} == {**body, "systemInstruction": 0}


def test_models_that_take_no_marks_get_a_string(run: Run) -> None:
    result = run("rewrite", "-", stdin=json.dumps(_body(PROMPT, TASK) | {"model": "gpt-4.1"}))
    [system, *_] = json.loads(result.stdout_bytes)["messages"]
    assert isinstance(system["content"], str)


def test_passthrough_prints_the_very_bytes_and_says_why(run: Run) -> None:
    raw = b'{"model":"m",  "messages":[{"role":"system","content":"You are a pirate."}]}\n\n'
    result = run("rewrite", "-", stdin=raw)
    assert (result.exit_code, result.stdout_bytes, result.stderr) == (0, raw, "passthrough: unrecognised\n")
    explained = run("rewrite", "-", "--explain", stdin=raw)
    assert explained.stdout.splitlines() == [
        "passthrough: unrecognised",
        "to change it - a profile of this prompt: `prompt-router learn TRAFFIC.jsonl` or `prompt-router split",
        "               PROMPT.txt`",
    ]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param({"messages": [{"role": "user", "content": "hi"}]}, "no_system_prompt", id="no system prompt"),
        pytest.param({"messages": "hi"}, "unreadable", id="malformed"),
        pytest.param(
            _body(PROMPT[: len(PROMPT) // 3] + "Unknown words. " * 5_000, "hi"),
            "unrecognised (closest profile: workbench, coverage 2",
            id="close",
        ),
    ],
)
def test_passthrough_reasons(body: dict[str, Any], reason: str, run: Run) -> None:
    result = run("rewrite", "-", stdin=json.dumps(body))
    assert result.exit_code == 0
    assert result.stderr.startswith(f"passthrough: {reason}")
    assert json.loads(result.stdout_bytes) == body
    explained = run("rewrite", "-", "--explain", stdin=json.dumps(body))
    assert (explained.stdout.splitlines()[0], explained.stderr) == (result.stderr.strip(), "")
    assert explained.stdout.splitlines()[1].startswith("to change it - ")


def test_explain(toy_root: Path, tmp_path: Path, run: Run) -> None:
    body = _body(f"{TOY_PROMPT}\n\nAlways rhyme.", "on the web", "and this csv")
    file = tmp_path / "request.json"
    file.write_text(json.dumps(body))
    result = run("rewrite", file, "--explain", "--profiles", toy_root)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "profile      toy 2",
        "coverage     96.0% of 329 characters",
        "message      task, 12 characters",
        "characters   329 -> 397 (+20.7%)",  # the note's first line is longer than these modules
        "tokens       80 -> 93 (+16.2%)",
        "breakpoints  0 added, 0 the client's",
        "slot         date: 10 characters, moved to the end",
        "residue      13 characters at 316: Always rhyme.",
        "cost gate    sends the selection: the full prompt is too short to be cached, so less text is always",
        "             cheaper",
        "sizes        core 12 + selected 15 = 27 of 71 tokens; the selection leaves out 44 (62.0%)",
        "prices       cached 0.1, written 1.25 of the input price; 1,024 tokens or more are cached",
        "expected     no tools; 2.5 calls for each message; what later messages need isn't known (labels or a",
        "             ledger tell)",
        "",
        "module                 evidence   detail                                    tokens  late",
        "core          kept     always                                                   12",
        "tools/csv     kept     trigger    csv                                           19  late",
        "tools/files   kept     requires   tools/csv                                     14  late",
        "tools/web     kept     inherited  web                                           15",
        "tools/orphan  dropped             marked optional, and nothing asks for it      11",
    ]


def test_one_profile_only(toy_root: Path, run: Run) -> None:
    body = json.dumps(_body(TOY_PROMPT, "csv"))
    assert run("rewrite", "-", "--profiles", toy_root, "--profile", "toy", stdin=body).stderr == ""
    unknown = run("rewrite", "-", "--profiles", toy_root, "--profile", "nope", stdin=body)
    assert (unknown.exit_code, unknown.stderr) == (1, "nope: no such profile; there are: toy\n")


@pytest.mark.parametrize(
    ("stdin", "wrong"),
    [
        pytest.param("", "stdin: not valid JSON at line 1, column 1: Expecting value; correct it", id="empty"),
        pytest.param("[]", "stdin: must be a JSON object, a request body with `model` and `messages`", id="list"),
        pytest.param("[" * 200_000, "stdin: nested too deeply; is this the right file?", id="deep"),
    ],
)
def test_unreadable_requests(stdin: str, wrong: str, run: Run) -> None:
    result = run("rewrite", "-", stdin=stdin)
    assert (result.exit_code, result.stderr, result.stdout) == (1, wrong + "\n", "")


def test_missing_file(run: Run) -> None:
    result = run("rewrite", "nope.json")
    wrong = "nope.json: can't be read (No such file or directory); check the path\n"
    assert (result.exit_code, result.stderr) == (1, wrong)


def test_stdout_of_the_process_is_json_and_nothing_else() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "litellm_prompt_router.cli", "rewrite", "-"],
        cwd=ROOT,
        input=json.dumps(_body(PROMPT, TASK, tools=TOOLS)).encode(),
        capture_output=True,
        timeout=120,
        check=True,
    )
    assert json.loads(done.stdout)["messages"][-1] == {"role": "user", "content": TASK}
    assert done.stderr == b""
