"""``learn``: from captured traffic to draft profiles."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from litellm_prompt_router.files import bundled_profiles, load_profile
from litellm_prompt_router.request.recognise import Catalogue
from litellm_prompt_router.request.route import Router
from litellm_prompt_router.request.types import Turn
from tests.cli.conftest import TOY_PROMPT, Run, write_profile

TOPICS = ("harbour", "orchard", "railway", "bakery", "museum", "quarry", "theatre", "library")


def prompt(agent: str, date: str = "2026-01-31", *, sections: int = 8) -> str:
    """One of an agent's prompts: every section has words of its own."""
    body = "".join(
        f"## The {topic} of {agent}\n\n"
        + "".join(
            f"- When the {agent} {topic} asks for {n} things, {agent} answers with {topic} {n}.\n" for n in range(8)
        )
        + "\n"
        for topic in TOPICS[:sections]
    )
    return f"You are {agent}, and today is {date}.\n\n{body}"


def line(ts: float, key: str, conversation: str, system: str | None, *tools: str, **more: object) -> str:
    messages = [{"role": "system", "content": system}] if system is not None else []
    request = {
        "model": "claude",
        "messages": [*messages, {"role": "user", "content": "Go on"}],
        "tools": [{"type": "function", "function": {"name": tool}} for tool in tools],
    }
    return json.dumps({"ts": ts, "key": key, "conversation": conversation, "request": request, **more}) + "\n"


def traffic() -> Iterable[str]:
    """Two agents under three keys with dates that change, a small helper prompt, and what is nothing."""
    for day in range(1, 13):
        yield line(day, f"key-{day % 2}", f"c{day}", prompt("Ada", f"2026-01-{day:02d}"), "load_table", "query_table")
        yield line(day + 0.5, f"key-{day % 2}", f"c{day}", prompt("Ada", f"2026-01-{day:02d}"), "load_table")
        if day % 3 == 0:
            yield line(
                day, "key-9", f"d{day}", prompt("Bob", f"2026-02-{day:02d}", sections=4 + day // 3), "web_search"
            )
    yield line(20, "key-1", "e", "Give this conversation a title of three words.")
    yield line(21, "key-1", "f", None)
    yield line(22, "key-1", "g", "x", endpoint="aembedding")
    yield "{torn"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "traffic.jsonl"
    path.write_text("".join(traffic()), "utf-8")
    return path


def test_each_agent_becomes_a_profile(path: Path, tmp_path: Path, run: Run) -> None:
    """With what varied as slots, its tools, and every version of its prompt recognised in full."""
    result = run("learn", path, "--name", "ada", "--profiles", tmp_path / "profiles")
    assert (result.exit_code, result.stderr[: result.stderr.index(" at ")]) == (
        0,
        f"skipped: {path}: line 32: not valid JSON",
    )
    folders = [tmp_path / "profiles" / name for name in ("ada", "ada-2")]
    assert sorted((tmp_path / "profiles").iterdir()) == folders
    ada, bob = (load_profile(folder, len) for folder in folders)
    assert (ada.text, bob.text) == (prompt("Ada", "2026-01-12"), prompt("Bob", "2026-02-12"))
    catalogue = Catalogue([ada, bob])
    for day in range(1, 29):
        found = catalogue.recognise(prompt("Ada", f"2026-01-{day:02d}"))
        assert found is not None
        assert (found.profile.name, found.coverage) == ("ada", 1.0)
    lines = result.stdout.splitlines()
    assert lines[0] == "31 calls, 1 without a system prompt, 1 that can't be read"
    assert [text.split()[:5] for text in lines[3:6]] == [
        ["ada", "24", "12", "12", f"{len(prompt('Ada')):,}"],
        ["ada-2", "4", "4", "4", f"{len(prompt('Bob')):,}"],
        ["-", "1", "1", "1", "46"],
    ]
    assert lines[-5:] == [
        f"wrote {folders[0]}",
        f"wrote {folders[1]}",
        "Read each REVIEW.md, or `prompt-router review NAME`; then `prompt-router check`.",
        "For a proxy to read them, add to its configuration:",
        f"  callback_settings: {{prompt_router: {{profiles: {tmp_path / 'profiles'}}}}}",
    ]
    assert run("check", "--profiles", tmp_path / "profiles").exit_code == 0


def test_what_surrounds_the_users_words_is_proposed(tmp_path: Path, run: Run) -> None:
    """In the profile, where routing heeds it, and as a doubt to look at."""
    asked = ("Load the orders", "Draw a chart", "Who was here?", "Close the quarry", "Open the museum", "Go on")
    lines = []
    for number, words in enumerate(asked):
        call = json.loads(line(number, "k", f"c{number}", prompt("Ada")))
        call["request"]["messages"][-1]["content"] = f"<shop_state>\n{number} orders\n</shop_state>\n{words}"
        lines.append(json.dumps(call) + "\n")
    path = tmp_path / "traffic.jsonl"
    path.write_text("".join(lines), "utf-8")
    assert run("learn", path, "--name", "ada", "--profiles", tmp_path / "profiles").exit_code == 0
    folder = tmp_path / "profiles" / "ada"
    assert "ignore:\n  - tag: shop_state\n" in (folder / "profile.yaml").read_text("utf-8")
    review = (folder / "REVIEW.md").read_text("utf-8")
    assert "- [ ] ignore: 'tag: shop_state' was in 6 of 6 user messages; what it takes out has no say" in review
    assert "| tag | `shop_state` |" in review
    decision = Router(load_profile(folder, len)).decide([Turn("user", "<shop_state>\n9\n</shop_state>\nGo on")])
    assert decision.query_chars == len("Go on")


SECTION = (
    "\n## draw_chart\n\nThe `draw_chart` tool draws a chart of a table. Never call draw_chart without a title.\n"
    + "".join(
        f"The parameters of draw_chart are table {n} and title {n}, and it returns image {n}.\n" for n in range(24)
    )
    + "\n## load_table\n\nThe `load_table` tool loads a table. Call load_table first.\n"
    + "".join(f"The parameters of load_table are file {n} and sheet {n}, and it returns rows {n}.\n" for n in range(24))
)


def test_traffic_shows_what_a_module_is_good_for(tmp_path: Path, run: Run) -> None:
    """Who declares and calls its tools; the review quotes its rules and the messages that come without them."""
    lines = []
    for number, (words, tools) in enumerate(
        (("Draw the orders", ("draw_chart", "load_table")), ("Load the orders", ("load_table",)), ("Hello", ()))
    ):
        system = (
            prompt("Ada") + SECTION + "## load_table\n\nThe load_table tool loads a table. Call load_table first.\n"
        )
        call = json.loads(line(number, "k", f"c{number}", system, *tools))
        call["request"]["messages"][-1]["content"] = words
        call["response"] = {"message": {"tool_calls": [{"function": {"name": tool}} for tool in tools[:1]]}}
        lines.append(json.dumps(call) + "\n")
    path = tmp_path / "traffic.jsonl"
    path.write_text("".join(lines), "utf-8")
    assert run("learn", path, "--name", "ada", "--profiles", tmp_path / "profiles").exit_code == 0
    folder = tmp_path / "profiles" / "ada"
    (chart,) = (module for module in load_profile(folder, len).modules if "draw_chart" in module.tools)
    assert not chart.always
    evidence = "are declared by 1 of 3 calls; called in 1 of 3 conversations"
    assert f"its tools draw_chart {evidence}" in " ".join((folder / "profile.yaml").read_text("utf-8").split())
    review = (folder / "REVIEW.md").read_text("utf-8")
    assert "- rules in it: 1\n  - > Never call draw_chart without a title.\n" in review
    assert "without its tools, and would lose it: 1\n  - > Load the orders\n" in review
    assert review.index("## What may be left out") < review.index("## In the core until labels")
    assert "Hello" not in review
    [agent] = json.loads(run("learn", path, "--list", "--json", "--all").stdout)["agents"]
    assert (agent["declared_in"], agent["called_in"]) == (
        {"draw_chart": 1, "load_table": 2},
        {"draw_chart": 1, "load_table": 1},
    )


GEMINI_TOOLS = [
    {"functionDeclarations": [{"name": "load_table"}, {"name": "query_table"}]},
    {"function_declarations": [{"name": "draw_chart"}]},
    {"googleSearch": {}},
]


def test_tools_of_gemini_traffic_are_found(tmp_path: Path, run: Run) -> None:
    """Gemini lists several functions in one entry of `tools`, and LiteLLM takes both spellings of the field."""
    request = {
        "model": "gemini-2.5-pro",
        "systemInstruction": {"parts": [{"text": prompt("Ada") + "\nCall `draw_chart` to draw.\n"}]},
        "contents": [{"role": "user", "parts": [{"text": "Go on"}]}],
        "tools": GEMINI_TOOLS,
    }
    call = {"ts": 1, "key": "k", "conversation": "c", "endpoint": "agenerate_content_stream", "request": request}
    path = tmp_path / "traffic.jsonl"
    path.write_text(json.dumps(call) + "\n", "utf-8")
    [agent] = json.loads(run("learn", path, "--list", "--json").stdout)["agents"]
    assert agent["tools"] == ["load_table", "query_table", "draw_chart"]
    assert run("learn", path, "--name", "ada", "--profiles", tmp_path / "profiles").exit_code == 0
    modules = load_profile(tmp_path / "profiles" / "ada", len).modules
    assert [module.tools for module in modules if module.tools] == [("draw_chart",)]


def test_masked_places_are_told(tmp_path: Path, run: Run) -> None:
    """They are not what the agent sends."""
    path = tmp_path / "traffic.jsonl"
    path.write_text(line(1, "k", "c", prompt("Ada") + "\nSend the header: Bearer [masked]\n"), "utf-8")
    result = run("learn", path, "--name", "ada", "--profiles", tmp_path / "profiles")
    assert result.exit_code == 0
    assert result.stderr.startswith(f"{tmp_path / 'profiles' / 'ada'}: 1 places of its prompt were masked by `capture`")


def test_json_and_list(path: Path, tmp_path: Path, run: Run) -> None:
    """The same facts, and nothing written; whole prompts are in neither."""
    result = run("learn", path, "--list", "--json", "--profiles", tmp_path / "profiles")
    document = json.loads(result.stdout)
    assert (document["calls"], document["unreadable"], document["without_prompt"], document["written"]) == (
        31,
        1,
        1,
        [],
    )
    ada, bob, helper = document["agents"]
    assert (ada["calls"], ada["conversations"], ada["versions"]) == (24, 12, 12)
    assert (ada["keys"], ada["models"], ada["tools"]) == (["key-1", "key-0"], ["claude"], ["load_table", "query_table"])
    assert (bob["keys"], bob["tools"], helper["chars"]) == (["key-9"], ["web_search"], 46)
    assert ada["tokens"] > bob["tokens"] > helper["tokens"] > 0
    assert "answers with" not in result.stdout
    assert not (tmp_path / "profiles").exists()


def test_known_prompts_are_named_and_left_alone(tmp_path: Path, run: Run) -> None:
    """An agent that has a profile needs no other."""
    path = tmp_path / "traffic.jsonl"
    text = load_profile(bundled_profiles() / "workbench", len).text
    path.write_text(line(1, "k", "c", text) + line(2, "k", "c", prompt("Ada")), "utf-8")
    document = json.loads(run("learn", path, "--list", "--json").stdout)
    assert [agent["known_as"] for agent in document["agents"]] == ["workbench", None]
    path.write_text(line(1, "k", "c", text), "utf-8")
    result = run("learn", path, "--name", "again")
    assert result.exit_code == 1
    assert result.stderr == f"{path}: no new system prompt of 4,000 characters or more; see --min-chars and --all\n"


def test_existing_profiles_are_not_overwritten(path: Path, toy_root: Path, run: Run) -> None:
    """Nothing is written, unless it is asked for."""
    write_profile(toy_root, "toy-2", "profile: toy-2\nversion: '1'\nmodules: []\n", {})
    result = run("learn", path, "--name", "toy", "--profiles", toy_root)
    assert result.exit_code == 1
    assert f"{toy_root / 'toy'}: is there already; choose another name, or add --replace\n" in result.stderr
    assert f"{toy_root / 'toy-2'}: is there already; choose another name, or add --replace\n" in result.stderr
    assert load_profile(toy_root / "toy", len).text == TOY_PROMPT
    (toy_root / "toy" / "labelled_fit.jsonl").write_bytes(b"{}\n")
    assert run("learn", path, "--name", "toy", "--profiles", toy_root, "--replace").exit_code == 0
    assert (toy_root / "toy" / "labelled_fit.jsonl").read_bytes() == b"{}\n"
    assert load_profile(toy_root / "toy", len).text == prompt("Ada", "2026-01-12")


@pytest.mark.parametrize(
    ("arguments", "text", "code", "message"),
    [
        ((), "", 2, "say --name NAME to write profiles, or --list to see what is there"),
        (("--name", "a", "--list"), "", 2, "say --name NAME to write profiles, or --list to see what is there"),
        (("--name", "a b"), "", 1, "--name: 'a b' is no profile's name; use letters, digits, '.', '_' and '-'"),
        (("--list",), "", 1, "holds no call; a call is a line of JSON"),
        (("--list",), "[]", 1, "line 1: must be a JSON object"),
        (("--list",), "{}", 1, "line 1: ts: missing; add it"),
    ],
)
def test_mistakes(tmp_path: Path, run: Run, arguments: tuple[str, ...], text: str, code: int, message: str) -> None:
    path = tmp_path / "traffic.jsonl"
    path.write_text(text, "utf-8")
    result = run("learn", path, *arguments)
    assert result.exit_code == code
    assert message in result.stderr


def test_no_such_file(run: Run) -> None:
    result = run("learn", "nowhere.jsonl", "--list")
    assert (result.exit_code, result.stderr) == (
        1,
        "nowhere.jsonl: can't be read (No such file or directory); check the path\n",
    )


def test_from_stdin(path: Path, run: Run) -> None:
    """Any byte that isn't UTF-8 spoils its own line only."""
    result = run("learn", "-", "--list", stdin=b"\xff\n" + path.read_bytes())
    assert result.stdout.startswith("31 calls")
    assert "skipped: stdin: line 1: not valid JSON" in result.stderr
