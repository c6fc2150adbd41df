"""``check``: problems, sizes and warnings of profiles."""

from __future__ import annotations

import json
from pathlib import Path

from litellm_prompt_router.authoring.check import check_profiles
from litellm_prompt_router.files import bundled_profiles, load_profile
from tests.cli.conftest import TOY, TOY_FILES, TOY_PROMPT, Run, write_profile

WARNINGS = [
    "toy: modules[1] tools/csv: 5 examples; write at least 20, or see `prompt-router examples`",
    "toy: modules[2] tools/files: 0 examples; write at least 20, or see `prompt-router examples`",
    "toy: modules[3] tools/web: 2 examples; write at least 20, or see `prompt-router examples`",
    "toy: modules[3] tools/web: examples[1] doesn't select it: 'who won'; add a trigger or move the example",
    "toy: modules[4] tools/orphan: nothing but a fallback selects it; add triggers or tools",
    "toy: modules[4] tools/orphan: 5 examples; write at least 20, or see `prompt-router examples`",
    *(
        f"toy: modules[4] tools/orphan: examples[{n}] doesn't select it: {text!r}; add a trigger or move the example"
        for n, text in enumerate("abcde")
    ),
]


def test_report_of_a_profile(toy_root: Path, run: Run) -> None:
    result = run("check", "--profiles", toy_root)
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0].startswith("toy 2 (digest ")
    assert lines[1:] == [
        "5 modules, 314 characters, 71 tokens, core 12 (16.9%)",
        "recognition covers 100.0% of the joined prompt",
        "the modules' examples need 46.2% of the tokens on average",
        "",
        "module        chars  tokens  share  always  requires     triggers  examples  tools",
        "core             49      12  16.9%  always                      0         0",
        "tools/csv        86      19  26.8%          tools/files         2         5  load_csv",
        "tools/files      63      14  19.7%                              0         0",
        "tools/web        62      15  21.1%                              1         2",
        "tools/orphan     44      11  15.5%                              0         5",
        *(f"warning: {warning}" for warning in WARNINGS),
    ]


def test_a_profile_that_nobody_reviewed_says_so(toy_root: Path, run: Run) -> None:
    path = toy_root / "toy" / "profile.yaml"
    path.write_text(f"{TOY}reviewed: false\n", "utf-8")
    accept = "then accept it with `prompt-router review toy --accept`"
    first = run("check", "--profiles", toy_root).stdout.splitlines()[0]
    assert first.endswith(f"), not reviewed: in shadow at most; read `prompt-router review toy`, {accept}")
    sheet = path.with_name("REVIEW.md")
    sheet.write_text("# Review of toy\n", "utf-8")
    first = run("check", "--profiles", toy_root).stdout.splitlines()[0]
    assert first.endswith(f"), not reviewed: in shadow at most; read {sheet}, {accept}")
    [report] = json.loads(run("check", "--profiles", toy_root, "--json").stdout)["profiles"]
    assert report["reviewed"] is False


def test_a_core_that_labels_may_take_out_is_told_apart(toy_root: Path, run: Run) -> None:
    path = toy_root / "toy" / "profile.yaml"
    path.write_text(TOY.replace("always: true", "always: true, until_labelled: true", 1), "utf-8")
    lines = run("check", "--profiles", toy_root).stdout.splitlines()
    assert "  until labelled  " in next(line for line in lines if line.startswith("core "))


def test_from_twenty_examples_on_nothing_is_said_of_them(toy_root: Path, run: Run) -> None:
    """Examples that no trigger selects are then there to be learned from."""
    path = toy_root / "toy" / "profile.yaml"
    for count, warned in ((19, True), (20, False)):
        texts = [f"gizmo {n}" for n in range(count)]
        path.write_text(TOY.replace("[look it up on the web, who won]", json.dumps(texts)), "utf-8")
        document = json.loads(run("check", "--profiles", toy_root, "--json").stdout)
        found = [warning for warning in document["profiles"][0]["warnings"] if "tools/web" in warning]
        assert bool(found) == warned
        assert len(found) == (count + 1 if warned else 0)


def test_json(toy_root: Path, run: Run) -> None:
    document = json.loads(run("check", "--profiles", toy_root, "--json").stdout)
    assert document["problems"] == []
    [report] = document["profiles"]
    assert report["warnings"] == WARNINGS
    assert (report["name"], report["coverage"], report["core_tokens"]) == ("toy", 1.0, 12)
    assert report["modules"][1]["requires"] == ["tools/files"]


def test_problems_and_the_profiles_that_load(toy_root: Path, run: Run) -> None:
    write_profile(toy_root, "bad", "profile: bad\nversion: '1'\nmodles: []\n", {})
    write_profile(toy_root, "worse", "profile: [", {})
    result = run("check", "--profiles", toy_root)
    assert result.exit_code == 1
    assert result.stdout.startswith("toy 2 (digest ")
    assert result.stderr.splitlines() == [
        "profiles/bad/profile.yaml: modules: missing; add it",
        "profiles/bad/profile.yaml: modles: unknown field; did you mean 'modules'?",
        "profiles/worse/profile.yaml: not valid YAML at line 1: expected the node content, but found '<stream end>'",
    ]
    as_json = run("check", "--profiles", toy_root, "--json")
    assert as_json.exit_code == 1
    assert json.loads(as_json.stdout)["problems"] == result.stderr.splitlines()


def test_named_profiles_only(toy_root: Path, run: Run) -> None:
    write_profile(toy_root, "worse", "profile: [", {})
    assert run("check", "toy", "--profiles", toy_root).exit_code == 0
    result = run("check", "toy", "nope", "--profiles", toy_root)
    assert (result.exit_code, result.stderr) == (1, "nope: no such profile; there are: toy, worse\n")


def test_profiles_that_cannot_be_told_apart(toy_root: Path) -> None:
    write_profile(toy_root, "twin", TOY.replace("profile: toy", "profile: twin"), TOY_FILES)
    profiles = [load_profile(toy_root / name, len) for name in ("toy", "twin")]
    toy, twin = check_profiles(profiles)
    assert toy.coverage == 1
    assert (twin.coverage, twin.warnings[0]) == (0, "twin: its prompt is taken for profile 'toy'; tell them apart")


FAULTY = TOY.replace("title: Files", "title: Files, requires: [tools/csv]").replace(
    "[web]", "[the, 'web', 'web search', '日csv']"
)


def test_faults_in_the_words_of_a_profile(tmp_path: Path, run: Run) -> None:
    """Triggers that say nothing and slots that take all are warnings; modules that require each other are one topic."""
    yaml = FAULTY.replace("'\\d{4}-\\d{2}-\\d{2}'", "'(?s).*'").replace("[csv,", "[csv, 'WEB ',")
    write_profile(tmp_path / "profiles", "toy", yaml, TOY_FILES)
    result = run("check", "--profiles", tmp_path / "profiles")
    assert result.exit_code == 0
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    for line in (
        "warning: toy: modules[3] tools/web: triggers[0] 'the': matches 12 of 24 everyday messages;"
        " use a word that tells more",
        "warning: toy: slots: date: takes any text, so it would swallow a new section;"
        " narrow its pattern or lower its max_chars",
        "note: toy: modules[1] tools/csv: one topic with tools/files: they require each other, and are routed as one",
        "note: toy: modules[3] tools/web: triggers[1] 'web': is a trigger of tools/csv too;"
        " keep it where it belongs, or use `requires`",
        "note: toy: modules[3] tools/web: triggers[2] 'web search': adds nothing to 'web'; remove it",
    ):
        assert line in lines
    document = json.loads(run("check", "--profiles", tmp_path / "profiles", "--json").stdout)
    assert document["problems"] == result.stderr.splitlines() == document["profiles"][0]["errors"]


def test_rules_that_take_what_users_write(tmp_path: Path) -> None:
    """Elements of the agent's take nothing from what is written by hand."""
    for rule, taken in (("tag: env", 0), ("drop: 'the'", 16), ("skip: '[A-Z]'", 22)):
        yaml = TOY.replace("modules:", f"ignore: [{{{rule}}}]\nmodules:", 1)
        profile = load_profile(write_profile(tmp_path / f"{taken}", "toy", yaml, TOY_FILES), len)
        told = [text for text in check_profiles([profile])[0].warnings if "ignore" in text]
        assert len(told) == bool(taken)
        assert all(text.startswith(f"toy: ignore: takes words from {taken} of 36 messages as users") for text in told)


def test_a_module_that_only_unreachable_ones_require(tmp_path: Path) -> None:
    """It is as unreachable as they are."""
    yaml = TOY.replace('triggers: [csv, "spreadsheet*"], tools: [load_csv],', "")
    [report] = check_profiles([load_profile(write_profile(tmp_path, "toy", yaml, TOY_FILES), len)])
    assert "toy: modules[1] tools/csv: nothing but a fallback selects it; add triggers or tools" in report.warnings
    assert (
        "toy: modules[2] tools/files: required only by modules that nothing selects; add triggers or tools"
        in report.warnings
    )


def call(conversation: str, system: str, ts: int = 0) -> str:
    messages = [{"role": "system", "content": system}, {"role": "user", "content": "hi"}]
    line = {"ts": ts, "key": "k", "conversation": conversation, "request": {"model": "m", "messages": messages}}
    return json.dumps(line) + "\n"


def test_a_prompt_as_it_is_sent(toy_root: Path, tmp_path: Path, run: Run) -> None:
    """What the profile covers of it, and what is not in it any more; below the floor it is an error."""
    fine, edited, other = (tmp_path / f"{name}.txt" for name in ("fine", "edited", "other"))
    fine.write_text(TOY_PROMPT.replace("2026-01-31", "2026-11-23"), "utf-8", newline="")
    edited.write_text(TOY_PROMPT.replace("Search before you", "Think before you"), "utf-8", newline="")
    other.write_text("You are somebody else.", "utf-8")
    result = run("check", "toy", "--profiles", toy_root, "--sample", fine)
    assert result.exit_code == 0
    assert "1 samples in 1 versions: 100.0% covered on average, 100.0% at least" in result.stdout
    result = run("check", "toy", "--profiles", toy_root, "--sample", fine, "--sample", edited)
    assert result.exit_code == 0
    assert "warning: toy: unknown text behind tools/files in 1 of 2 samples; see `prompt-router diff`" in result.stdout
    told = "warning: toy: not in all of 2 samples as they are: tools/web (1); see `prompt-router diff`"
    assert told in result.stdout
    half = tmp_path / "half.txt"
    half.write_text(TOY_PROMPT[:200] + "\n\nSomething else altogether.\n" * 10, "utf-8", newline="")
    result = run("check", "toy", "--profiles", toy_root, "--sample", half, "--sample", other)
    assert result.exit_code == 1
    [line] = result.stderr.splitlines()
    assert line.startswith(f"{half}: toy covers ")
    assert "1 of other prompts" in result.stdout
    result = run("check", "toy", "--profiles", toy_root, "--sample", other)
    assert result.stderr == "toy: none of the 1 samples is its prompt; see `prompt-router learn`\n"


def test_what_varies_in_captured_requests(tmp_path: Path, run: Run) -> None:
    """A slot that changes from call to call is proposed as volatile, unknown text that does as a slot."""
    root = tmp_path / "profiles"
    write_profile(root, "toy", TOY.replace(", volatile: true", ""), TOY_FILES)
    traffic = tmp_path / "traffic.jsonl"
    dated = [TOY_PROMPT.replace("2026-01-31", f"2026-01-{day:02d}") for day in range(1, 10)]
    noted = [f"{text}\n\nThe user's clock says {n}:17 o'clock." for n, text in enumerate(dated)]
    same = call("c1", dated[0]) * 2
    traffic.write_text(same + call("c2", noted[1]) + call("c2", noted[2]) + call("c2", noted[2]) + "{torn\n", "utf-8")
    result = run("check", "toy", "--profiles", root, "--sample", traffic)
    assert result.exit_code == 0
    assert result.stderr.startswith(f"skipped: {traffic}: line 6: not valid JSON")
    lines = result.stdout.splitlines()
    assert (
        "warning: toy: slots: date: changed in 1 of 3 steps from call to call;"
        " make its whole sentence or block the slot and say `volatile: true`, so that both go last" in lines
    )
    assert (
        "warning: toy: unknown text behind tools/orphan varies: changed in 1 of 2 steps from call to call;"
        " make it a volatile slot" in lines
    )
    traffic.write_text("".join(call(f"c{n}", text) * 2 for n, text in enumerate(dated)), "utf-8")
    stdout = run("check", "toy", "--profiles", root, "--sample", traffic).stdout
    assert "slots: date: had 9 values in 9 conversations; make its whole sentence or block the slot" in stdout
    traffic.write_text("".join(call(f"c{n}", dated[0]) * 2 for n in range(9)), "utf-8")
    assert "volatile" not in run("check", "toy", "--profiles", root, "--sample", traffic).stdout


def test_samples_of_several_profiles(toy_root: Path, tmp_path: Path, run: Run) -> None:
    """Each counts for the profile it is recognised as; what is nobody's is told."""
    files = {"a.txt": "You are a pilot of small boats.\nMind the tide and the wind.\n"}
    yaml = "profile: boat\nversion: '1'\nmodules: [{id: a, file: a.txt, title: A, always: true}]\n"
    write_profile(toy_root, "boat", yaml, files)
    traffic = tmp_path / "traffic.jsonl"
    traffic.write_text(call("c1", TOY_PROMPT) + call("c2", files["a.txt"]) * 2 + call("c3", "Who are you?"), "utf-8")
    result = run("check", "--profiles", toy_root, "--sample", traffic, "--json")
    assert result.stderr == "1 of 4 samples are no profile's prompt\n"
    samples = {p["name"]: p["sample"]["samples"] for p in json.loads(result.stdout)["profiles"]}
    assert samples == {"boat": 2, "toy": 1}


def test_workbench_has_no_problems_and_no_warnings() -> None:
    [report] = check_profiles([load_profile(bundled_profiles() / "workbench", len)])
    assert (report.errors, report.warnings) == ((), ())
    assert report.expected_token_reduction is not None
    assert report.expected_token_reduction > 0.5
    assert report.coverage == 1
