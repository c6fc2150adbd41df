"""``label``: real messages, answered key by key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from litellm_prompt_router.cli.labeller import Labeller
from tests.cli.conftest import TOY, TOY_FILES, TOY_PROMPT, Run, write_profile
from tests.emulators.embeddings import Embedder

OUT = "toy-labelled.jsonl"
IN_TIME = ("--order", "time")


def call(conversation: str, *messages: dict[str, Any], system: str = TOY_PROMPT) -> str:
    request = {"model": "m", "messages": [{"role": "system", "content": system}, *messages]}
    return json.dumps({"ts": 1, "key": "k", "conversation": conversation, "request": request}) + "\n"


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def calls_tool(name: str) -> tuple[dict[str, Any], ...]:
    called = {"id": "1", "type": "function", "function": {"name": name, "arguments": "{}"}}
    return {"role": "assistant", "tool_calls": [called]}, {"role": "tool", "tool_call_id": "1", "content": "ok"}


@pytest.fixture
def traffic(tmp_path: Path) -> Path:
    """Three messages in two conversations, one of them behind a table that was loaded; and somebody else's."""
    loaded = (user("sum my table up"), *calls_tool("load_csv"))
    path = tmp_path / "traffic.jsonl"
    path.write_text(
        call("a", user("sum my table up"))
        + call("a", *loaded)
        + call("a", *loaded, {"role": "assistant", "content": "42"}, user("who won?"))
        + call("b", user("hi [masked]"))
        + call("c", user("not ours"), system="Somebody else's prompt.")
    )
    return path


def labelled(path: str | Path = OUT) -> list[tuple[str, list[str]]]:
    return [(case["text"], case["needs"]) for case in map(json.loads, Path(path).read_text("utf-8").splitlines())]


def test_answers_are_written_as_fit_reads_them(traffic: Path, toy_root: Path, run: Run) -> None:
    """Enter takes what the tool calls say, numbers put modules in and out, n is nothing."""
    result = run("label", traffic, *IN_TIME, "--profiles", toy_root, stdin="\n3 4\n4\n\nn\n")
    assert result.exit_code == 0
    assert labelled() == [("sum my table up", ["tools/csv"]), ("who won?", ["tools/web"]), ("hi [masked]", [])]
    second = json.loads(Path(OUT).read_text("utf-8").splitlines()[1])
    assert (second["history"], second["tool_calls"]) == (["sum my table up"], ["load_csv"])
    assert run("evaluate", OUT, "--profiles", toy_root, "--profile", "toy").exit_code == 0
    assert "needs: 1 tools/csv\n" in result.stdout
    assert "message 3 of 3; 2 of 45 for a guaranteed promise" in result.stdout
    assert f"{OUT}: 3 labelled, of which 2 need a module" in result.stdout
    assert "not ours" not in result.stdout


def test_the_modules_are_shown_by_number(traffic: Path, toy_root: Path, run: Run) -> None:
    """Without the core that is beyond doubt; ? shows a text; what isn't understood says which keys there are."""
    result = run("label", traffic, *IN_TIME, "--profiles", toy_root, stdin="?2\n?9\n7\nwhat\nq\n")
    lines = [line.removeprefix("> ") for line in result.stdout.splitlines()]
    listed = [line.split()[:2] for line in lines if line.lstrip("* ").startswith(("1 ", "2 ", "3 ", "4 "))][:4]
    assert listed[0] == ["*", "1"]
    assert sorted(listed[1:]) == [["2", "tools/files"], ["3", "tools/web"], ["4", "tools/orphan"]]
    assert "Files live in the workspace folder, and nowhere else." in result.stdout
    assert "9: say a module's number, 1 to 4" in lines
    assert "7: say a module's number, 1 to 4" in lines
    assert not Path(OUT).exists()


def test_it_goes_on_where_it_stopped(traffic: Path, toy_root: Path, run: Run) -> None:
    """What is answered is in the file whatever ends the sitting; what was skipped comes again."""
    assert "run the same command again" in run("label", traffic, *IN_TIME, "--profiles", toy_root, stdin="\ns\n").stdout
    assert labelled() == [("sum my table up", ["tools/csv"])]
    result = run("label", traffic, *IN_TIME, "--profiles", toy_root, stdin="n\nn\n")
    assert "message 1 of 2" in result.stdout
    assert labelled() == [("sum my table up", ["tools/csv"]), ("who won?", []), ("hi [masked]", [])]
    assert run("label", traffic, *IN_TIME, "--profiles", toy_root).stdout.startswith(f"\n{OUT}: 3 labelled")


def test_back_mends_an_answer(traffic: Path, toy_root: Path, run: Run) -> None:
    """The line changes where it is, with the earlier answer as what is chosen; behind the first there is no further."""
    run("label", traffic, *IN_TIME, "--profiles", toy_root, stdin="b\n3\n\nn\nb\nb\n1\n\n4\n\nq\n")
    assert labelled() == [("sum my table up", ["tools/web"]), ("who won?", ["tools/orphan"])]


def test_back_leaves_what_others_added(
    traffic: Path, toy_root: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two people may label into one file."""
    ask, asked = Labeller._ask, iter(range(9))

    def meanwhile(*arguments: Any) -> Any:
        if next(asked) == 1:
            with Path(OUT).open("a") as file:
                file.write('{"text": "theirs", "needs": []}\n')
        return ask(*arguments)

    monkeypatch.setattr(Labeller, "_ask", meanwhile)
    run("label", traffic, *IN_TIME, "--profiles", toy_root, stdin="\nb\n1\n3\n\n\nq\n")
    assert labelled() == [("sum my table up", ["tools/web"]), ("theirs", []), ("who won?", [])]


def test_a_torn_line_stays_apart(traffic: Path, toy_root: Path, run: Run) -> None:
    """A file without a line end gets one before the next answer; one that can't be read is told."""
    Path("mine.jsonl").write_text('{"text": "x", "needs": []}')
    run("label", traffic, *IN_TIME, "--profiles", toy_root, "--out", "mine.jsonl", stdin="\nq\n")
    assert labelled("mine.jsonl") == [("x", []), ("sum my table up", ["tools/csv"])]
    Path("mine.jsonl").write_text('{"text": "x", "needs": ["tools/none"]}\n{torn')
    result = run("label", traffic, *IN_TIME, "--profiles", toy_root, "--out", "mine.jsonl", stdin="\n")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 2)
    assert "mine.jsonl: line 1: needs[0]: unknown module 'tools/none'" in result.stderr


def test_nothing_to_label_is_told(traffic: Path, toy_root: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").write_text(call("c", user("hi"), system="Somebody else's prompt."))
    result = run("label", tmp_path / "none.jsonl", "--profiles", toy_root)
    assert (result.exit_code, result.stderr) == (
        1,
        f"{tmp_path}/none.jsonl: no message came with the prompt of toy; see `prompt-router learn --list`\n",
    )
    assert run("label", tmp_path / "gone.jsonl", "--profiles", toy_root).exit_code == 1


SAID = ("thanks!", "load a table of columns", "search pages on the web", "load a table and search pages")


@pytest.fixture
def doubtful(tmp_path: Path) -> Path:
    """Small talk first, then two clear messages and one between them."""
    path = tmp_path / "doubtful.jsonl"
    path.write_text("".join(call(f"c{number}", user(text)) for number, text in enumerate(SAID)))
    return path


def test_doubtful_messages_come_first(doubtful: Path, toy_root: Path, run: Run) -> None:
    """Small talk comes last; --order time asks in the order of the traffic."""
    run("label", doubtful, "--profiles", toy_root, stdin="n\nn\nn\nn\n")
    asked = [text for text, _ in labelled()]
    assert asked[-1] == "thanks!"
    assert asked.index(SAID[3]) < asked.index(SAID[2])
    run("label", doubtful, *IN_TIME, "--profiles", toy_root, "--out", "time.jsonl", stdin="n\nn\nn\nn\n")
    assert [text for text, _ in labelled("time.jsonl")] == list(SAID)


def test_likely_modules_are_offered_first(doubtful: Path, toy_root: Path, run: Run) -> None:
    """Under the number that they always have; nothing is chosen by it."""
    shown = run("label", doubtful, *IN_TIME, "--profiles", toy_root, stdin="s\ns\ns\n").stdout
    by_message = [part.split("\n") for part in shown.split("\nmessage ")[1:]]
    tops = [next(line.split() for line in lines if " tools/" in line)[:2] for lines in by_message]
    assert (tops[1], tops[2]) == (["1", "tools/csv"], ["3", "tools/web"])
    assert "needs: nothing beyond the core" in shown
    assert "needs: 1" not in shown


def test_an_embedding_model_is_asked_where_the_profile_names_one(
    doubtful: Path, toy_root: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once for each text; --lexical asks nobody."""
    monkeypatch.setenv("OPENAI_API_KEY", "emulated")
    declared = toy_root / "toy" / "profile.yaml"
    declared.write_text(f"{declared.read_text()}router: {{embedding_model: openai/emulated-embeddings}}\n")
    with Embedder() as embedder:
        where = ("--profiles", toy_root, "--api-base", embedder.url)
        assert run("label", doubtful, *where, "--lexical", stdin="q\n").exit_code == 0
        assert embedder.batches == []
        assert run("label", doubtful, *where, stdin="q\n").exit_code == 0
        texts = [text for batch in embedder.batches for text in batch]
    assert set(SAID) < set(texts)
    assert len(texts) == len(set(texts))
    assert run("label", doubtful, *where, stdin="q\n").stderr.startswith("embedding model 'openai/emulated-embeddings'")


def test_a_topic_in_several_pieces_is_one_entry(traffic: Path, tmp_path: Path, run: Run) -> None:
    """By its first piece; its text is shown whole."""
    together = TOY.replace("title: Files", "title: Files, requires: [tools/csv]")
    write_profile(tmp_path / "pieces", "toy", together, TOY_FILES)
    result = run("label", traffic, "--profiles", tmp_path / "pieces", stdin="? 1\nq\n")
    assert "tools/csv" in result.stdout
    assert "tools/files" not in result.stdout
    shown = result.stdout.split("--- tools/csv\n")[1].split("\n---")[0]
    for part in ("csv.txt", "files.txt"):
        assert TOY_FILES[part].splitlines()[0] in shown
