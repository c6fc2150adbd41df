"""``examples``: a model over real HTTP writes and labels messages; what is kept, and what a stop leaves behind."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from litellm_prompt_router.files import load_profile
from litellm_prompt_router.files.labelled_messages import parse_cases
from tests.cli.conftest import Run
from tests.emulators.author import Author
from tests.emulators.replies import HttpError

MODULES = ["tools/csv", "tools/files", "tools/web", "tools/orphan"]
KEY = "sk-test-0123456789abcdefghij"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("litellm_prompt_router.authoring.examples.asking.FIRST_WAIT_SECONDS", 0.0)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.fixture
def author() -> Iterator[Author]:
    with Author() as author:
        yield author


class Command:
    """The command on the toy profile, with its files."""

    def __init__(self, run: Run, root: Path) -> None:
        self._run = run
        self.root = root
        self.folder = root / "toy"

    def __call__(self, author: Author, *options: str, per_module: int = 8) -> Result:
        model = ("--llm", "openai/gpt-4o-mini", "--api-base", f"{author.url}/v1")
        return self._run("examples", *model, "--profiles", self.root, "--per-module", str(per_module), *options)

    @property
    def labelled(self) -> list[dict[str, Any]]:
        text = (self.folder / "labelled_examples.jsonl").read_text("utf-8")
        return [json.loads(line) for line in text.split("\n") if line]


@pytest.fixture
def command(run: Run, toy_root: Path) -> Command:
    return Command(run, toy_root)


def test_every_module_gets_its_messages(command: Command, author: Author) -> None:
    """They are labelled messages that ``evaluate`` and ``fit`` read; cost is LiteLLM's price of the answers."""
    result = command(author)
    assert (result.exit_code, result.stderr) == (0, "")
    assert author.written_for == MODULES
    assert result.stdout == (
        "module        kept  near duplicates  another module's  no agreement\n"
        "tools/csv        8                0                 0             0\n"
        "tools/files      8                0                 0             0\n"
        "tools/web        8                0                 0             0\n"
        "tools/orphan     8                0                 0             0\n"
        "\n"
        # 0.15 USD in and 0.60 USD out a million tokens (LiteLLM's map)
        "cost, earlier runs included: 0.0022 USD; 8 answers, 8,000 tokens in, 1,600 out\n"
        f"{command.folder}/labelled_examples.jsonl: 32 added\n"
    )
    text = (command.folder / "labelled_examples.jsonl").read_text("utf-8")
    cases = [case for _, case in parse_cases(text, "labelled", load_profile(command.folder, len))]
    assert [case.category for case in cases] == [module for module in MODULES for _ in range(8)]
    assert all(case.needs == (case.category,) and case.text.endswith(f"#{case.category}") for case in cases)


def test_questions_share_their_system_prompt_and_show_no_claims(command: Command, author: Author) -> None:
    command(author)
    assert len({question["messages"][0]["content"] for question in author.questions}) == 1
    system, writing = (message["content"] for message in author.questions[0]["messages"])
    assert all(f'<module id="{module}"' in system for module in MODULES)
    assert '<module id="core"' not in system
    assert "Load a table with load_csv before you answer." in writing
    assert '"sum up a csv"' in writing, "the profile's own examples are shown, so that others come"
    labelling = author.questions[1]["messages"][1]["content"]
    assert "needs" not in re.search(r"\n\n\[.*\]\n\n", labelling, re.DOTALL)[0]  # type: ignore[index]


def _mixed(author: Author, module: str, number: int) -> list[dict[str, Any]]:
    """For CSV: two good ones, and one of each kind that isn't wanted. Else eight good ones."""
    if module != "tools/csv":
        return [{"text": f"{author.words()} #{module}"} for _ in range(8)]
    good = author.words()
    return [
        {"text": f"{good} 1 #tools/csv"},
        {"text": f"{good.upper()}, 2! #tools/csv"},
        {"text": "split this CSV #tools/csv"},
        {"text": "Look it up on the WEB! #tools/csv"},
        {"text": f"{author.words()} #tools/web"},
        {"text": f"{author.words()} #tools/csv #tools/web"},
        {"text": f"{author.words()}"},
        {"text": "and the other", "history": [author.words()], "needs": ["core", "tools/nope"]},
        {"text": "again\u2028#tools/csv #tools/files", "history": [author.words()]},
        {"text": f"{author.words()} #tools/csv #tools/orphan", "needs": ["tools/orphan"]},
    ]


def test_only_agreements_are_kept(command: Command) -> None:
    """What a module requires makes no difference, in either direction; the core is never a need."""
    with Author(_mixed) as author:
        result = command(author, "--json", per_module=3)
        assert "0 added" in command(author, per_module=3).stdout
    csv = json.loads(result.stdout)["modules"]["tools/csv"]
    assert csv == {"kept": 3, "near_duplicates": 2, "others": 2, "disagreements": 3}
    kept = [line for line in command.labelled if line["category"] == "tools/csv"]
    assert [line["needs"] for line in kept] == [["tools/csv"], ["tools/csv"], ["tools/csv", "tools/orphan"]]
    assert kept[1]["text"] == "again\u2028#tools/csv #tools/files"
    assert len(kept[1]["history"]) == 1


def test_a_model_with_nothing_new_is_given_up(command: Command) -> None:
    with Author(lambda author, module, number: [{"text": f"the same again #{module}"}]) as author:
        result = command(author, per_module=3)
    assert result.exit_code == 0
    assert f"short of 3: {', '.join(MODULES)}; run it again, or with another model\n" in result.stdout
    assert author.written_for.count("tools/csv") == 5, "the first brought one, four more nothing"


def test_passing_errors_are_repeated_and_told(command: Command, author: Author) -> None:
    author.faults.extend([HttpError(status=500, message="overloaded"), "I'd rather not.", None, HttpError(status=429)])
    result = command(author)
    assert result.exit_code == 0
    assert result.stderr == (
        "try 1 of 3 failed: InternalServerError: OpenAIException - overloaded\n"
        "try 2 of 3: the answer is not the JSON that was asked for\n"
        "try 1 of 3 failed: RateLimitError: OpenAIException - scripted error\n"
    )
    assert len(command.labelled) == 32


def test_unreadable_answers_cost_a_round_not_the_run(command: Command, author: Author) -> None:
    author.faults.extend(["no", '{"messages": 5}', "{", None, "no", "no", "no"])
    result = command(author, "--json")
    csv = json.loads(result.stdout)["modules"]["tools/csv"]
    assert csv == {"kept": 8, "near_duplicates": 0, "others": 0, "disagreements": 8}


def test_lasting_errors_stop_at_once_without_the_key(command: Command, author: Author) -> None:
    author.faults.extend([None, None, HttpError(status=401, message=f"Incorrect API key provided: {KEY}")])
    result = command(author)
    assert (result.exit_code, len(author.questions)) == (1, 3)
    assert result.stderr == (
        "--llm: openai/gpt-4o-mini: AuthenticationError: OpenAIException - Incorrect API key provided: ...; "
        "nothing is lost: put it right and run the same command again\n"
    )
    assert len(command.labelled) == 8


def test_goes_on_where_it_stopped(command: Command, author: Author) -> None:
    """Nothing is asked or written twice, and what was written but not labelled is labelled first."""
    author.faults.extend([None, None, None, *[HttpError(status=503)] * 3])
    assert command(author).exit_code == 1
    assert author.written_for == MODULES[:2]
    result = command(author)
    assert (result.exit_code, author.written_for) == (0, MODULES)
    assert [line["category"] for line in command.labelled] == [module for module in MODULES for _ in range(8)]
    asked = len(author.questions)
    assert "0 added" in command(author).stdout
    assert len(author.questions) == asked


@pytest.fixture
def listens_to_ctrl_c() -> Iterator[None]:
    """Shells start what they run in the background with the signal ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("at", [pytest.param(3, id="while writing"), pytest.param(4, id="while labelling")])
def test_ctrl_c_loses_nothing(at: int, command: Command, author: Author, listens_to_ctrl_c: None) -> None:
    author.faults.extend([*[None] * (at - 1), lambda: os.kill(os.getpid(), signal.SIGINT)])
    result = command(author)
    assert (result.exit_code, result.stderr) == (130, "stopped; run the same command again to go on\n")
    assert [line["category"] for line in command.labelled] == ["tools/csv"] * 8
    assert command(author).exit_code == 0
    assert len(command.labelled) == 32
    assert author.written_for.count("tools/files") == (2 if at == 3 else 1)


def test_another_text_of_a_module_begins_anew(command: Command, author: Author) -> None:
    command(author)
    (command.folder / "web.txt").write_text("# Web\nNever search.\n\n", "utf-8")
    command(author)
    assert author.written_for == [*MODULES, "tools/web"]
    assert len(command.labelled) == 40, "what was written before stays where it was put"


def test_unknown_price(command: Command, run: Run, author: Author) -> None:
    model = ("--llm", "openai/mine", "--api-base", f"{author.url}/v1")
    result = run("examples", *model, "--profiles", command.root, "--per-module", "1")
    assert "cost, earlier runs included: unknown, LiteLLM has no price for all of it (openai/mine); " in result.stdout


def test_own_lines_of_the_file_stay(command: Command, author: Author, tmp_path: Path) -> None:
    own = '{"text": "mine", "category": "x", "needs": []}\nnot json\u2028still not'
    (tmp_path / "out.jsonl").write_text(own, "utf-8")
    command(author, "--out", str(tmp_path / "out.jsonl"), per_module=1)
    lines = (tmp_path / "out.jsonl").read_text("utf-8").split("\n")
    assert lines[:2] == own.split("\n")
    assert len(lines) == 2 + 32 + 1


def test_into_the_profile(command: Command, author: Author) -> None:
    """The profile still loads, with its comments; running again adds nothing."""
    path = command.folder / "profile.yaml"
    path.write_text(path.read_text("utf-8").replace("modules:", "modules:  # in order\n  # core first\n"), "utf-8")
    result = command(author, "--into-profile")
    assert result.stdout.endswith(f"{path}: 32 added; follow-ups are left out there\n")
    profile = load_profile(command.folder, len)
    assert [len(module.examples) for module in profile.modules] == [0, 13, 8, 10, 13]
    assert "  # in order\n  # core first\n" in path.read_text("utf-8")
    assert f"{path}: 0 added" in command(author, "--into-profile").stdout


def test_a_state_that_is_none(command: Command, author: Author) -> None:
    path = command.folder / "examples_state.json"
    path.write_text('{"version": 2}', "utf-8")
    result = command(author)
    assert (result.exit_code, author.questions) == (1, [])
    assert result.stderr == f"{path}: not what `prompt-router examples` writes; move it away to begin anew\n"


def test_another_model_may_label(command: Command, author: Author) -> None:
    """The first is asked for messages alone, the second for labels alone, and agrees to what it labels alike."""
    with Author() as second:
        result = command(author, "--second-opinion", "openai/gpt-4.1-nano", "--second-api-base", f"{second.url}/v1")
        assert result.exit_code == 0
        assert {question["model"] for question in author.questions} == {"gpt-4o-mini"}
        assert {question["model"] for question in second.questions} == {"gpt-4.1-nano"}
        assert len(author.written_for) == len(author.questions)
        assert second.questions
        assert second.written_for == []
        assert len(command.labelled) == 8 * len(MODULES)
        second.faults.append(HttpError(status=400, message="no such model"))
        failed = command(
            author, "--second-opinion", "openai/gpt-4.1-nano", "--second-api-base", f"{second.url}/v1", per_module=16
        )
    assert failed.exit_code == 1
    assert failed.stderr.startswith("--llm openai/gpt-4o-mini or --second-opinion openai/gpt-4.1-nano: BadRequestError")
