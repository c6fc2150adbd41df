"""Commands with a routing model: asked over real HTTP or from recorded answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from litellm_prompt_router.files import load_profile, load_profiles
from tests.authoring.test_fitted_routing import labelled
from tests.cli.conftest import TOY, TOY_FILES, TOY_PROMPT, Run, write_profile
from tests.cli.test_simulate import line, write
from tests.emulators.chooser import Chooser
from tests.emulators.replies import HttpError
from tests.made_embeddings import harbour_folder

MODEL = "openai/gpt-4o-mini"
KNOWS = {"heading": (["tools/csv"], ["tools/web"]), "read": (["tools/web"], []), "tidy": (["tools/files"], [])}
CASES: list[dict[str, Any]] = [
    {"text": "the headings are odd", "needs": ["tools/csv", "tools/files"]},
    {"text": "what do people read now", "needs": ["tools/web"]},
    {"text": "tidy up there", "history": ["the headings are odd"], "needs": ["tools/files"]},
    {"text": "hello", "needs": []},
]


@pytest.fixture
def chooser(monkeypatch: pytest.MonkeyPatch) -> Iterator[Chooser]:
    monkeypatch.setattr("litellm_prompt_router.authoring.examples.asking.FIRST_WAIT_SECONDS", 0.0)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789abcdefghij")
    with Chooser(KNOWS) as chooser:
        monkeypatch.setenv("OPENAI_API_BASE", f"{chooser.url}/v1")
        yield chooser


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    file = tmp_path / "cases.jsonl"
    file.write_text("".join(f"{json.dumps(case)}\n" for case in CASES))
    return file


def evaluated(run: Run, cases: Path, root: Path, *options: str | Path) -> Result:
    result = run("evaluate", cases, "--profiles", root, *options)
    assert result.exit_code == 0, result.output
    return result


def test_evaluate_asks_each_question_once(run: Run, toy_root: Path, cases: Path, chooser: Chooser) -> None:
    """And says what that cost: 0.15 USD in and 0.60 USD out a million tokens (LiteLLM's map)."""
    result = evaluated(run, cases, toy_root, "--routing-model", MODEL)
    assert sorted(chooser.messages) == ["the headings are odd", "tidy up there", "what do people read now"]
    assert result.stderr == f"{MODEL}: 3 calls, 1,800 tokens in, 60 out, $0.0003\n"
    assert "routing model    100.0%          100.0%  100.0%        56.0%\n" in result.stdout


def test_answers_are_kept_and_not_asked_for_again(
    run: Run, toy_root: Path, cases: Path, chooser: Chooser, tmp_path: Path
) -> None:
    kept = tmp_path / "answers.jsonl"
    first = evaluated(run, cases, toy_root, "--routing-model", MODEL, "--routing-answers", kept)
    assert len(kept.read_text().splitlines()) == 3
    again = evaluated(run, cases, toy_root, "--routing-model", MODEL, "--routing-answers", kept)
    assert again.stderr == f"{MODEL}: 0 calls, 0 tokens in, 0 out, $0.0000\n"
    alone = evaluated(run, cases, toy_root, "--routing-answers", kept)
    assert first.stdout == again.stdout == alone.stdout
    assert len(chooser.questions) == 3


def test_it_is_asked_as_requests_would_have_it_asked(run: Run, toy_root: Path, cases: Path, chooser: Chooser) -> None:
    """With a bound, without chance, and with a schema that holds the ids of the sections."""
    evaluated(run, cases, toy_root, "--routing-model", MODEL)
    for body in chooser.questions:
        assert (body["temperature"], body["max_tokens"]) == (0.0, 300)
        schema = body["response_format"]["json_schema"]["schema"]
        assert set(schema["properties"]["needed"]["items"]["enum"]) >= {"tools/csv", "tools/web", "tools/files"}


def test_another_description_is_asked_about_anew(
    run: Run, toy_root: Path, cases: Path, chooser: Chooser, tmp_path: Path
) -> None:
    kept = tmp_path / "answers.jsonl"
    evaluated(run, cases, toy_root, "--routing-model", MODEL, "--routing-answers", kept)
    yaml = toy_root / "toy" / "profile.yaml"
    yaml.write_text(yaml.read_text().replace("title: Web", "title: Web, when: something has to be looked up"))
    evaluated(run, cases, toy_root, "--routing-model", MODEL, "--routing-answers", kept)
    assert len(chooser.questions) == 6
    assert "- tools/web: Web. When: something has to be looked up" in chooser.questions[-1]["messages"][0]["content"]


def test_recorded_answers_need_no_digest(run: Run, toy_root: Path, cases: Path, tmp_path: Path) -> None:
    """A message and what came before it say which answer is whose."""
    kept = tmp_path / "answers.jsonl"
    answers = [
        {"text": "the headings are odd", "needed": ["tools/csv"]},
        {"text": "tidy up there", "history": ["the headings are odd"], "needed": [], "perhaps": ["tools/files"]},
        {"text": "what do people read now", "history": ["something else"], "needed": ["tools/web"]},
    ]
    kept.write_text("".join(f"{json.dumps(answer)}\n" for answer in answers))
    result = run("evaluate", cases, "--profiles", toy_root, "--routing-answers", kept, "--json")
    selected = [[each["module"] for each in one["selected"]] for one in json.loads(result.stdout)["results"]]
    assert selected == [
        ["core", "tools/csv", "tools/files"],
        ["core"],  # nobody answered, and every other module of this profile is optional
        ["core", "tools/csv", "tools/files"],
        ["core"],
    ]


def test_what_is_wrong_with_recorded_answers(run: Run, toy_root: Path, cases: Path, tmp_path: Path) -> None:
    kept = tmp_path / "answers.jsonl"
    kept.write_text('{"text": "x", "needed": ["tools/cvs"]}\n{"text": "x"}\n')
    result = run("evaluate", cases, "--profiles", toy_root, "--routing-answers", kept)
    assert result.exit_code == 1
    assert "needed[0]: unknown module 'tools/cvs'; `prompt-router check toy` lists them" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (
            HttpError(status=401),
            "--routing-model openai/gpt-4o-mini: BadRequestError: OpenAIException - scripted error; its name is"
            " LiteLLM's, its key and address (OPENAI_API_BASE, ...) come from the environment",
        ),
        ("I can't say.", "9 calls, 5,400 tokens in, 180 out, $0.0009, 3 without a readable answer"),
    ],
    ids=["refused", "unreadable"],
)
def test_a_model_that_does_not_answer(
    run: Run, toy_root: Path, cases: Path, chooser: Chooser, fault: HttpError | str, told: str
) -> None:
    chooser.fault = fault
    result = run("evaluate", cases, "--profiles", toy_root, "--routing-model", MODEL)
    assert told in result.stderr
    assert "Traceback" not in result.stderr


def test_route_shows_the_list_that_names_a_module(run: Run, toy_root: Path, chooser: Chooser) -> None:
    result = run("route", "the headings are odd", "--profiles", toy_root, "--routing-model", MODEL)
    assert "tools/csv     model     needed" in result.stdout
    assert "tools/web     model     perhaps" in result.stdout
    assert "tools/files   requires  tools/csv" in result.stdout
    assert "the routing model answered 1 question\n" in result.stdout


def test_route_says_when_it_was_not_asked(run: Run, toy_root: Path, chooser: Chooser) -> None:
    result = run("route", "thanks", "--profiles", toy_root, "--routing-model", MODEL)
    assert "the routing model isn't asked: no message says what to do" in result.stdout
    assert chooser.questions == []


# Replayed traffic


TALK = ("the headings are odd", "Done.", "what do people read now", "This.", "thanks")


def test_simulate_has_the_model_choose_and_tells_its_bill(
    run: Run, toy_root: Path, tmp_path: Path, chooser: Chooser
) -> None:
    traffic = write(tmp_path, *(line(60.0 * n, *TALK[: 2 * n + 1], system=TOY_PROMPT) for n in range(3)))
    result = run("simulate", traffic, "--profiles", toy_root, "--routing-model", MODEL)
    assert result.exit_code == 0, result.output
    assert sorted(chooser.messages) == ["the headings are odd", "what do people read now"]
    assert f"routing model: 2 questions, 2 answered; {MODEL} takes " in result.stdout
    assert " tokens for them, $0.0001 at most, on top of these\n" in result.stdout


def test_simulate_says_what_the_model_wavers_on(run: Run, toy_root: Path, tmp_path: Path, chooser: Chooser) -> None:
    """A section whose tools were called, though the model didn't name it."""
    calls = []
    for number in range(3):
        body = json.loads(line(60.0 * number, f"sort list {number}", system=TOY_PROMPT))
        body["conversation"] = f"c{number}"
        call = {"id": "1", "type": "function", "function": {"name": "load_csv", "arguments": "{}"}}
        body["request"]["messages"] += [
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "1", "content": "a,b"},
        ]
        calls.append(json.dumps(body))
    result = run("simulate", write(tmp_path, *calls), "--profiles", toy_root, "--routing-model", MODEL)
    assert (
        "it wavers on tools/csv: of 3 messages that used it the model named it as needed for 0, as perhaps needed for "
        "0, and not at all for 3; put that into the core (`always: true`), or say more in its `when:`\n"
    ) in result.stdout


def test_simulate_needs_traffic_for_it(run: Run) -> None:
    result = run("simulate", "--synthetic", "--routing-model", MODEL)
    assert result.exit_code == 2
    assert "routing models need TRAFFIC.jsonl" in result.stderr


# fit


@pytest.fixture
def harbour(tmp_path: Path) -> Path:
    return harbour_folder(tmp_path / "profiles", {"model": "small"}).parent


ALWAYS = ("routing model, needed", "routing model, both")


@pytest.mark.full
def test_fit_finds_when_to_ask(run: Run, harbour: Path, tmp_path: Path) -> None:
    """From recorded answers: which lists, a band around the threshold; proxies take both up, for this model only."""
    cases = labelled(200, seed=5)
    messages, answers = tmp_path / "labelled.jsonl", tmp_path / "answers.jsonl"
    messages.write_text("".join(f"{case.model_dump_json()}\n" for _, case in cases))
    answers.write_text(
        "".join(
            json.dumps({"text": case.text, "history": case.history, "needed": case.needs, "perhaps": ["crew"]}) + "\n"
            for _, case in cases
        )
    )
    options = ("--profiles", harbour, "--target", "0.9", "--over", "messages", "--routing-answers", answers)
    told = json.loads(run("fit", messages, *options, "--dry-run", "--json").stdout)["cascade"]
    assert (told["model"], told["lists"], told["misses"]) == ("small", "needed", 0)
    assert told["asked_share"] < 0.7
    result = run("fit", messages, *options)
    rows = [line.split("  ")[0] for line in result.stdout.splitlines()]
    together = "words, in doubt routing model, needed"
    at = rows.index("words")
    assert rows[at - 1 : at + 4] == ["router at 90.0%", "words", *ALWAYS, together]
    assert "taken: small is asked in doubt, and the needed sections alone are sent; 0 of 200" in result.stdout
    [profile] = load_profiles(harbour, len)
    assert profile.fitted is not None
    assert profile.fitted.cascade is not None
    assert (profile.fitted.cascade.model, profile.fitted.cascade.lists) == ("small", "needed")
    yaml = harbour / "harbour" / "profile.yaml"
    yaml.write_text(yaml.read_text().replace("model: small", "model: other"))
    other = load_profile(yaml.parent, len)
    assert other.fitted is not None
    assert other.fitted.cascade is None
    assert other.router != profile.router


def test_fit_says_what_asking_would_cost(run: Run, harbour: Path, tmp_path: Path, chooser: Chooser) -> None:
    messages = tmp_path / "labelled.jsonl"
    messages.write_text("".join(f"{case.model_dump_json()}\n" for _, case in labelled(60, seed=5)))
    result = run("fit", messages, "--profiles", harbour, "--routing-model", MODEL, "--dry-run")
    assert f"{MODEL} would be asked " in result.stdout
    assert "(--dry-run: nothing is asked)" in result.stdout
    assert chooser.questions == []


# The profile


ROUTED = TOY + "router: {model: small}\n"


def test_a_change_of_what_is_asked_ends_a_tuning(tmp_path: Path) -> None:
    """Another routing model, a hedge, other lists or another line of when a section is needed: selections change."""
    digests = set()
    for number, yaml in enumerate(
        (
            TOY,
            ROUTED,
            ROUTED.replace("model: small", "model: other"),
            ROUTED.replace("model: small", "model: small, hedge_model: other"),
            ROUTED.replace("model: small", "model: small, model_lists: needed"),
            ROUTED.replace("title: Web", "title: Web, when: something has to be looked up"),
        )
    ):
        folder = write_profile(tmp_path / str(number), "toy", yaml, TOY_FILES)
        digests.add(load_profile(folder, len).router)
    assert len(digests) == 6
    timeouts = write_profile(tmp_path / "t", "toy", ROUTED.replace("small", "small, model_timeout: 3"), TOY_FILES)
    assert load_profile(timeouts, len).router in digests


DRAFT = ROUTED.replace("optional: true, examples: [a", "always: true, until_labelled: true, when: never, examples: [a")


def test_review_and_check_say_what_the_model_may_take_out_of_the_core(run: Run, tmp_path: Path) -> None:
    root = tmp_path / "p"
    write_profile(root, "toy", DRAFT, TOY_FILES)
    reviewed = run("review", "toy", "--profiles", root).stdout
    assert "4 of 5 modules" in reviewed
    assert (
        "for keys with `router_model: true`, small says for each task which of these it needs, tools/orphan among "
        "them, which nothing but its answer takes out of the core; without its answer all of them are sent\n"
    ) in reviewed
    checked = run("check", "toy", "--profiles", root).stdout
    assert (
        "note: toy: router.model: is asked about 1 module with until_labelled, too: left out where it names them in "
        "neither list: tools/orphan\n"
    ) in checked


def test_check_warns_of_a_line_that_nobody_reads(run: Run, tmp_path: Path) -> None:
    root = tmp_path / "p"
    write_profile(root, "toy", ROUTED.replace("title: Core,", "title: Core, when: always,"), TOY_FILES)
    assert (
        "warning: toy: modules[0] core: when: says nothing to anybody, since the module is always sent; remove it\n"
    ) in run("check", "toy", "--profiles", root).stdout
