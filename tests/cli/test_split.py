"""``split``: a folder that the library reads, exact bytes, one line for each mistake."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from litellm_prompt_router.cli.split_command import split
from tests.cli.conftest import TOY_FILES, TOY_PROMPT, Run
from tests.emulators.upstream import HttpError, Upstream
from tests.made_prompts import PROMPT, VERSIONS

MODEL = "openai/gpt-4.1-mini"


@pytest.fixture
def prompt(tmp_path: Path) -> Path:
    path = tmp_path / "prompt.txt"
    path.write_bytes(PROMPT.encode())
    return path


def test_split_join_and_check(prompt: Path, tmp_path: Path, run: Run) -> None:
    root = tmp_path / "profiles"
    done = run("split", prompt, "--name", "quill", "--profiles", root)
    assert done.exit_code == 0
    assert (
        f"wrote {root / 'quill'}; read {root / 'quill' / 'REVIEW.md'} next, or `prompt-router review quill`"
        in done.stdout
    )
    assert "No request was given" in done.stdout
    assert run("join", "quill", "--profiles", root).stdout_bytes == PROMPT.encode()
    checked = run("check", "--profiles", root, "--json")
    assert (checked.exit_code, json.loads(checked.stdout)["problems"]) == (0, [])
    assert json.loads(checked.stdout)["profiles"][0]["coverage"] == 1.0


def test_samples_make_slots(tmp_path: Path, run: Run) -> None:
    paths = []
    for number, version in enumerate(VERSIONS):
        paths.append(tmp_path / f"{number}.txt")
        paths[-1].write_bytes(version.encode())
    assert run("split", *paths, "--name", "quill", "--profiles", tmp_path / "p").exit_code == 0
    declared = yaml.safe_load((tmp_path / "p" / "quill" / "profile.yaml").read_text("utf-8"))
    assert [slot["name"] for slot in declared["slots"]] == ["date", "user_name", "path", "listing", "notice"]
    joined = run("join", "quill", "--profiles", tmp_path / "p").stdout_bytes.decode()
    made_up = (("Ada", "User"), ("/srv/orders/17/open", "/home/user/project"), ("\n17/a.pdf\n17/b.pdf\n", ""))
    expected = VERSIONS[0]
    for value, instead in made_up:
        expected = expected.replace(value, instead)
    assert joined == expected


ODD = {
    "white space": b" \n\t",
    "NUL": b"a\0b",
    "BOM": b"\xef\xbb\xbf# A\r\nx\r\n",
    "lone carriage returns": b"# A\rtext\r\r# B\rmore",
    "line separators": "# A\u2028text\u2029## B\u2028c".encode(),
    "combining marks": "e\u0301\n\u0301# e\u0301".encode(),
    "braces": b"Use {{date}} and {{slot_1}} on 2026-11-22, {{{x}}}",
    "one line": b"word " * 2000,
}


@pytest.mark.parametrize("raw", ODD.values(), ids=ODD.keys())
def test_odd_prompts_join_to_themselves(raw: bytes, tmp_path: Path, run: Run) -> None:
    (tmp_path / "odd.txt").write_bytes(raw)
    assert run("split", tmp_path / "odd.txt", "--name", "odd", "--apply-slots", "--profiles", tmp_path).exit_code == 0
    assert run("join", "odd", "--profiles", tmp_path).stdout_bytes == raw


def test_every_mistake_is_named(tmp_path: Path, run: Run) -> None:
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "latin.txt").write_bytes("prüfen".encode("latin-1"))
    done = run("split", tmp_path / "empty.txt", tmp_path / "latin.txt", tmp_path / "none.txt", "--name", "x")
    assert done.exit_code == 1
    assert done.stderr == (
        f"{tmp_path}/empty.txt: empty; there is nothing to split\n"
        f"{tmp_path}/latin.txt: not UTF-8 at byte 2 (0xfc); convert it\n"
        f"{tmp_path}/none.txt: can't be read (No such file or directory); check the path\n"
    )


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", ".."])
def test_names_stay_in_the_folder(name: str, prompt: Path, tmp_path: Path, run: Run) -> None:
    done = run("split", prompt, "--name", name, "--profiles", tmp_path)
    assert (done.exit_code, done.stderr) == (
        1,
        f"--name: {name!r} is no name for a folder; use letters, digits, '_', '.' and '-'\n",
    )


def test_a_profile_is_only_replaced_on_demand(prompt: Path, toy_root: Path, run: Run) -> None:
    done = run("split", prompt, "--name", "toy", "--profiles", toy_root)
    assert (done.exit_code, done.stderr) == (
        1,
        f"{toy_root / 'toy'}: is there already; choose another name, or add --replace\n",
    )
    assert run("split", prompt, "--name", "toy", "--profiles", toy_root, "--replace").exit_code == 0
    assert run("join", "toy", "--profiles", toy_root).stdout_bytes == PROMPT.encode()
    assert [path.name for path in toy_root.iterdir()] == ["toy"]


def test_what_else_is_in_the_folder_stays(prompt: Path, toy_root: Path, run: Run) -> None:
    """Labelled messages, notes, folders; the replaced profile's own files go."""
    others = {"labelled_fit.jsonl": b"{}\r\n", "ab_cases.jsonl": b"", "NOTES.md": b"\xff", "more/csv.txt": b"mine"}
    for name, content in others.items():
        (toy_root / "toy" / name).parent.mkdir(exist_ok=True)
        (toy_root / "toy" / name).write_bytes(content)
    for name in ("router.json", "router.npz"):
        (toy_root / "toy" / name).write_bytes(b"fitted for the modules as they were")
    assert run("split", prompt, "--name", "toy", "--profiles", toy_root, "--replace").exit_code == 0
    assert {name: (toy_root / "toy" / name).read_bytes() for name in others} == others
    assert run("join", "toy", "--profiles", toy_root).stdout_bytes == PROMPT.encode()
    left = {path.name for path in (toy_root / "toy").iterdir()}
    assert not left & {*TOY_FILES, "router.json", "router.npz"}


@pytest.mark.parametrize("name", ["rename", "replace", "unlink"])
@pytest.mark.parametrize("at", [1, 2, 5])
def test_a_profile_that_cannot_be_replaced_is_still_there(
    name: str, at: int, prompt: Path, toy_root: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the new one is: what failed came after."""
    calls = 0
    real: Callable[..., None] = getattr(os, name)

    def refuse(*arguments: Any, **options: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == at:
            raise OSError(28, os.strerror(28))
        real(*arguments, **options)

    monkeypatch.setattr(os, name, refuse)
    done = run("split", prompt, "--name", "toy", "--profiles", toy_root, "--replace")
    monkeypatch.undo()
    text = TOY_PROMPT if done.exit_code else PROMPT
    assert run("join", "toy", "--profiles", toy_root).stdout_bytes == text.encode()
    if done.exit_code:
        assert done.stderr == f"{toy_root / 'toy'}: can't be written (No space left on device); nothing was changed\n"


def test_a_captured_request_names_the_tools(prompt: Path, tmp_path: Path, run: Run) -> None:
    tools = [{"type": "function", "function": {"name": "paper_stock"}}, {"name": "fax"}]
    captured = {"ts": 1, "request": {"model": "m", "messages": [], "tools": tools}}
    (tmp_path / "request.json").write_text(json.dumps(captured), "utf-8")
    request = tmp_path / "request.json"
    assert run("split", prompt, "--name", "q", "--profiles", tmp_path, "--request", request).exit_code == 0
    declared = yaml.safe_load((tmp_path / "q" / "profile.yaml").read_text("utf-8"))
    assert [module["tools"] for module in declared["modules"] if "tools" in module] == [["paper_stock"]]
    assert "the prompt doesn't name 1 of the 2 tools that requests declare: fax" in (
        tmp_path / "q" / "REVIEW.md"
    ).read_text("utf-8")


def test_sizes_can_be_set(prompt: Path, tmp_path: Path, run: Run) -> None:
    sizes = ("--target-chars", "200", "--min-chars", "50", "--max-chars", "300", "--max-share", "0.5")
    assert run("split", prompt, "--name", "q", "--profiles", tmp_path, *sizes).exit_code == 0
    texts = [path.read_text("utf-8") for path in (tmp_path / "q").rglob("*.txt")]
    assert max(map(len, texts)) <= 300


@pytest.fixture
def model(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> Upstream:
    """An OpenAI whose every answer is a good one."""
    monkeypatch.setenv("OPENAI_API_BASE", upstream.url)
    monkeypatch.setenv("OPENAI_API_KEY", "emulated")
    upstream.script(
        *[
            json.dumps({"description": f"Answer {n}.", "requires": ["no/such"], "examples": ["Bind my book"]})
            for n in range(3)
        ]
    )
    return upstream


# LiteLLM is imported and called in this process, where its own warnings would become errors.
@pytest.mark.filterwarnings("ignore")
def test_a_model_drafts_and_goes_on_where_it_stopped(
    model: Upstream, prompt: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("litellm_prompt_router.cli.llm_drafting.RETRIES", 0)
    arguments = ("split", prompt, "--name", "q", "--profiles", tmp_path / "p", "--llm", MODEL)
    model.default = HttpError(status=401)
    stopped = run(*arguments)
    assert stopped.exit_code == 1
    assert "3 of" in stopped.stderr
    assert "run the command again to go on" in stopped.stderr
    assert not (tmp_path / "p" / "q").exists()
    asked = len([r for r in model.requests if r.path.endswith("/chat/completions")])

    from tests.emulators.upstream import Text

    model.default = Text(text='Here it is: {"description": "The rest.", "requires": [], "examples": ["Fold it"]}')
    done = run(*arguments)
    assert done.exit_code == 0, done.output
    declared = yaml.safe_load((tmp_path / "p" / "q" / "profile.yaml").read_text("utf-8"))
    described = [module["description"] for module in declared["modules"]]
    assert described == ["Answer 0.", "Answer 1.", "Answer 2.", *["The rest."] * (len(described) - 3)]
    assert len(model.requests) == asked + len(described) - 3
    assert f"{MODEL}: {len(described) - 3} calls, {len(described)} modules answered, cost $0.0" in done.stdout
    assert [path.name for path in (tmp_path / "p").iterdir()] == ["q"]
    assert run("join", "q", "--profiles", tmp_path / "p").stdout_bytes == PROMPT.encode()


# LiteLLM is imported and called in this process, where its own warnings would become errors.
@pytest.mark.filterwarnings("ignore")
def test_a_model_that_fails_for_a_moment_is_asked_again(
    model: Upstream, prompt: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("litellm_prompt_router.gateway.models.language_model.FIRST_WAIT_SECONDS", 0.0)
    answer = json.dumps({"description": "It.", "requires": [], "examples": ["Bind my book"]})
    model.script(HttpError(status=500), HttpError(status=503), *[answer] * 40)
    done = run("split", prompt, "--name", "q", "--profiles", tmp_path / "p", "--llm", MODEL)
    assert done.exit_code == 0, done.output


def test_help_says_that_nothing_leaves_without_a_model() -> None:
    assert split.help is not None
    assert "Nothing goes over the network without --llm" in split.help
