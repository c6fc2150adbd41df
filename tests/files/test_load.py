"""Profile folders: what is read from them, and every problem that can be in them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.documents.parsing import MAX_FILE_BYTES
from litellm_prompt_router.files import bundled_profiles, load_profile, load_profiles
from litellm_prompt_router.profile.agents import AGENTS
from litellm_prompt_router.profile.profile import Profile, Slot
from tests.made_profiles import count_words

Change = Callable[[dict[str, Any], Path], object]


def document() -> dict[str, Any]:
    """A profile.yaml without faults."""
    return {
        "profile": "mast",
        "version": "1.0",
        "slots": [{"name": "date", "pattern": r"Today is \d+\.", "sample": "Today is 7.", "volatile": True}],
        "modules": [
            {"id": "core", "file": "core.txt", "title": "Core", "always": True},
            {
                "id": "tools/wind",
                "file": "tools/wind.txt",
                "title": "Wind",
                "triggers": ["wind*"],
                "tools": ["wind_log"],
            },
            {"id": "tools/rain", "file": "tools/rain.txt", "title": "Rain", "requires": ["tools/wind"]},
        ],
    }


TEXTS = {
    "core.txt": b"# Mast\r\n{{date}}\n{brace} {{other}} {{ date }}\n",
    "tools/wind.txt": b"## Wind\n\n",
    "tools/rain.txt": "## Regen für alle\n".encode(),
}


def written(root: Path, change: Change | None = None, *, name: str = "mast") -> Path:
    """A profile folder under ``root/modules``, with one thing changed."""
    folder = root / "modules" / name
    for path, content in TEXTS.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    declared = document()
    if change is not None:
        change(declared, folder)
    if declared:
        (folder / "profile.yaml").write_text(yaml.safe_dump(declared, sort_keys=False))
    return folder


def problems_of(folder: Path) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load_profile(folder, count_words)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return list(caught.value.problems)


# Reading


def test_text_is_read_byte_for_byte(tmp_path: Path) -> None:
    """Line endings, umlauts and other braces are text; a declared slot's name in braces is the slot."""
    found = load_profile(written(tmp_path), count_words)
    assert found.text.encode() == b"".join(TEXTS.values()).replace(b"{{date}}", b"Today is 7.")
    before, date, after = found.modules[0].parts
    assert before == "# Mast\r\n"
    assert isinstance(date, Slot)
    assert (date.name, date.sample, date.volatile, date.max_chars) == ("date", "Today is 7.", True, 50_000)
    assert after == "\n{brace} {{other}} {{ date }}\n"


def test_fields_are_taken_over(tmp_path: Path) -> None:
    found = load_profile(written(tmp_path), count_words)
    assert (found.name, found.version, found.cache_ttl, found.coverage_floor) == ("mast", "1.0", "5m", None)
    assert found.order == {"core": 0, "tools/wind": 1, "tools/rain": 2}
    core, wind, rain = found.modules
    assert (core.always, wind.always) == (True, False)
    assert (wind.triggers, wind.tools, rain.requires) == (("wind*",), ("wind_log",), ("tools/wind",))
    assert (core.tokens, wind.tokens) == (7, 2)


@pytest.mark.parametrize(
    "change",
    [
        lambda declared, folder: declared.update(version="1.1"),
        lambda declared, folder: declared["modules"][1].update(triggers=["gale"]),
        lambda declared, folder: (folder / "core.txt").write_bytes(b"{{date}}!"),
        lambda declared, folder: (folder / "tools/rain.txt").write_bytes(b"## Regen f\xc3\xbcr alle"),
    ],
    ids=["version", "trigger", "text", "last byte"],
)
def test_digest_covers_metadata_and_text(tmp_path: Path, change: Change) -> None:
    first = load_profile(written(tmp_path / "a"), count_words)
    assert load_profile(written(tmp_path / "b"), count_words).digest == first.digest
    assert load_profile(written(tmp_path / "c", change), count_words).digest != first.digest


def test_anchors_without_aliases_are_fine(tmp_path: Path) -> None:
    folder = written(tmp_path)
    path = folder / "profile.yaml"
    path.write_text(path.read_text().replace("version: '1.0'", "version: &v '1.0'"))
    assert load_profile(folder, count_words).version == "1.0"


def test_rules_of_what_to_ignore_add_up(tmp_path: Path) -> None:
    """A ready-made set, and the profile's own beside it."""
    rules = [
        {"agent": "codex"},
        {"tag": "shop"},
        {"inside": "ask"},
        {"drop": "d+"},
        {"keep": "k(e*)p"},
        {"skip": "s"},
        {"result": "r"},
        {"summary": "u"},
        {"block": "last"},
    ]
    ignore = load_profile(written(tmp_path, edit(ignore=rules)), count_words).ignore
    own = AGENTS["codex"]
    assert (ignore.tags, ignore.inside, ignore.block) == ((*own.tags, "shop"), (*own.inside, "ask"), "last")
    names = ("drop", "keep", "skip", "results", "summaries")
    assert [len(getattr(ignore, name)) - len(getattr(own, name)) for name in names] == [1] * 5
    assert load_profile(written(tmp_path), count_words).ignore.block == "all"


def test_profiles_come_by_name(tmp_path: Path) -> None:
    for name in ("zeta", "alpha"):
        written(tmp_path, lambda declared, folder: declared.update(profile=folder.name), name=name)
    (tmp_path / "modules" / "notes").mkdir()
    assert [p.name for p in load_profiles(tmp_path / "modules", count_words)] == ["alpha", "zeta"]


def test_bundled_profiles_are_good() -> None:
    profiles: tuple[Profile, ...] = load_profiles(bundled_profiles(), count_words)
    assert "workbench" in {profile.name for profile in profiles}


# Problems

Y = "modules/mast/profile.yaml"
M = "modules/mast"


def edit(*path: str | int, **fields: Any) -> Change:
    """Fields set at a place in profile.yaml."""

    def change(declared: dict[str, Any], folder: Path) -> None:
        place: Any = declared
        for step in path:
            place = place[step]
        place.update(fields)

    return change


def without(*path: str | int) -> Change:
    def change(declared: dict[str, Any], folder: Path) -> None:
        place: Any = declared
        for step in path[:-1]:
            place = place[step]
        del place[path[-1]]

    return change


def content(path: str, data: bytes) -> Change:
    def change(declared: dict[str, Any], folder: Path) -> None:
        (folder / path).write_bytes(data)

    return change


def many(declared: dict[str, Any], folder: Path) -> None:
    declared["profile"] = "tower"
    declared["slots"][0]["pattern"] = "("
    declared["modules"][1].update(file="gone.txt", requires=["core", "nowhere"])
    declared["modules"][2]["triggers"] = ["?"]


PROBLEMS: dict[str, tuple[Change, list[str]]] = {
    "typo": (edit(verison="1"), [f"{Y}: verison: unknown field; did you mean 'version'?"]),
    "typo in a module": (
        edit("modules", 1, trigers=["x"]),
        [f"{Y}: modules[1].trigers: unknown field; did you mean 'triggers'?"],
    ),
    "typo in a slot": (edit("slots", 0, patern="x"), [f"{Y}: slots[0].patern: unknown field; did you mean 'pattern'?"]),
    "missing fields": (without("modules", 0, "title"), [f"{Y}: modules[0].title: missing; add it"]),
    "no modules": (edit(modules=[]), [f"{Y}: modules: tuple should have at least 1 item after validation, not 0"]),
    "wrong type": (
        edit("modules", 0, always="perhaps"),
        [f"{Y}: modules[0].always: input should be a valid boolean, unable to interpret input"],
    ),
    "floor out of range": (edit(coverage_floor=1.5), [f"{Y}: coverage_floor: input should be less than or equal to 1"]),
    "unknown lifetime": (edit(cache_ttl="2h"), [f"{Y}: cache_ttl: input should be '5m' or '1h'"]),
    "ignore: two fields in a rule": (
        edit(ignore=[{"tag": "a", "drop": "b"}]),
        [
            f"{Y}: ignore[0]: a rule has one field of agent, tag, inside, drop, keep, skip, result, summary, block;"
            " make it one rule each"
        ],
    ),
    "ignore: unknown field": (
        edit(ignore=[{"dorp": "b"}]),
        [f"{Y}: ignore[0].dorp: unknown field; did you mean 'drop'?"],
    ),
    "ignore: bad rules": (
        edit(
            ignore=[
                {"agent": "clod-code"},
                {"drop": "(?=x)"},
                {"skip": "x*"},
                {"keep": "<a>.*</a>"},
                {"keep": "(a)(b)"},
                {"result": "("},
            ]
        ),
        [
            f"{M}: ignore[0].agent: no ready-made set of that name; there are {', '.join(sorted(AGENTS))}",
            f"{M}: ignore[1].drop: not a regular expression that RE2 takes: invalid perl operator: (?=",
            f"{M}: ignore[2].skip: matches where there is nothing, so it says nothing; narrow it",
            f"{M}: ignore[3].keep: needs one group, the user's own words: (...); use (?:...) for others",
            f"{M}: ignore[4].keep: needs one group, the user's own words: (...); use (?:...) for others",
            f"{M}: ignore[5].result: not a regular expression that RE2 takes: missing ): (",
        ],
    ),
    "ignore: sizes": (
        edit(ignore=[{"drop": "x" * 2_001}, {"tag": "a b"}, {"tag": "t" * 101}]),
        [
            f"{Y}: ignore[0].drop: string should have at most 2000 characters",
            f"{Y}: ignore[1].tag: string should match pattern '^[A-Za-z_][\\w.:-]*$'",
            f"{Y}: ignore[2].tag: string should have at most 100 characters",
        ],
    ),
    "ignore: many": (
        edit(ignore=[{"tag": f"t{n}"} for n in range(51)]),
        [f"{Y}: ignore: tuple should have at most 50 items after validation, not 51"],
    ),
    "another folder": (
        edit(profile="tower"),
        [f"{M}: profile: is 'tower' but the folder is 'mast'; make them the same"],
    ),
    "repeated id": (
        edit("modules", 2, id="tools/wind"),
        [
            f"{M}: modules: id 'tools/wind' is there twice; keep one",
            f"{M}: modules[2].requires[0]: a module can't require itself; remove it",
        ],
    ),
    "repeated file": (
        edit("modules", 2, file="tools/wind.txt"),
        [f"{M}: modules: file 'tools/wind.txt' is there twice; keep one"],
    ),
    "repeated tool": (
        edit("modules", 2, tools=["wind_log"]),
        [f"{M}: modules: tool 'wind_log' is there twice; keep one"],
    ),
    "unknown requirement": (
        edit("modules", 2, requires=["tools/wind", "tools/snow"]),
        [f"{M}: modules[2].requires[1]: unknown module 'tools/snow'"],
    ),
    "requires itself": (
        edit("modules", 2, requires=["tools/rain"]),
        [f"{M}: modules[2].requires[0]: a module can't require itself; remove it"],
    ),
    "bad trigger": (
        edit("modules", 1, triggers=["ok", "a*", "wind|gale"]),
        [
            f"{M}: modules[1].triggers[1]: '*' needs at least three letters before it, "
            "or it matches nearly every message",
            f"{M}: modules[1].triggers[2]: a trigger is words, not a regular expression; "
            "write one trigger for each wording",
        ],
    ),
    "missing file": (
        edit("modules", 1, file="tools/gale.txt"),
        [f"{M}: modules[1].file: tools/gale.txt: can't be read (No such file or directory); create it or fix the path"],
    ),
    "missing file with a slot in it": (
        edit("modules", 0, file="kern.txt"),
        [f"{M}: modules[0].file: kern.txt: can't be read (No such file or directory); create it or fix the path"],
    ),
    "a folder for a file": (
        edit("modules", 1, file="tools"),
        [f"{M}: modules[1].file: tools: can't be read (Is a directory); create it or fix the path"],
    ),
    "not UTF-8": (
        content("tools/wind.txt", b"ab\xff"),
        [f"{M}: modules[1].file: tools/wind.txt: not UTF-8 at byte 2; convert it"],
    ),
    "empty file": (
        content("tools/wind.txt", b" \n"),
        [f"{M}: modules[1].file: tools/wind.txt has no text of its own; remove the module"],
    ),
    "only a slot": (
        content("tools/wind.txt", b"{{date}}\n"),
        [f"{M}: modules[1].file: tools/wind.txt has no text of its own; remove the module"],
    ),
    "oversize": (
        content("tools/wind.txt", b"a" * (MAX_FILE_BYTES + 1)),
        [f"{M}: modules[1].file: tools/wind.txt: larger than 4,000,000 bytes; is this the right file?"],
    ),
    "back-reference": (
        edit("slots", 0, pattern=r"(a)\1"),
        [rf"{M}: slots[0].pattern: not a regular expression that RE2 takes: invalid escape sequence: \1"],
    ),
    "sample doesn't match": (
        edit("slots", 0, sample="Today is Sunday."),
        [f"{M}: slots[0].pattern: doesn't match the slot's own sample from end to end; fix one of them"],
    ),
    "unused slot": (
        content("core.txt", b"# Mast\n"),
        [f"{M}: slots: 'date' is declared but no module file has {{{{date}}}}; add or remove it"],
    ),
    "repeated slot": (
        lambda declared, folder: declared["slots"].append({**declared["slots"][0]}),
        [f"{M}: slots: name 'date' is there twice; keep one"],
    ),
    "several at once": (
        many,
        [
            f"{M}: profile: is 'tower' but the folder is 'mast'; make them the same",
            f"{M}: modules[1].requires[1]: unknown module 'nowhere'",
            f"{M}: modules[2].triggers[0]: a trigger is words, not a regular expression; "
            "write one trigger for each wording",
            f"{M}: slots[0].pattern: not a regular expression that RE2 takes: missing ): (",
            f"{M}: modules[1].file: gone.txt: can't be read (No such file or directory); create it or fix the path",
        ],
    ),
}


@pytest.mark.parametrize(("change", "expected"), PROBLEMS.values(), ids=PROBLEMS.keys())
def test_problems(tmp_path: Path, change: Change, expected: list[str]) -> None:
    """Each names its place, what is wrong and what to do; one fault gives one line."""
    assert problems_of(written(tmp_path, change)) == expected


def test_problems_of_fields_and_of_files_are_reported_together(tmp_path: Path) -> None:
    """A typo in one module doesn't hide that another's file is missing."""

    def change(declared: dict[str, Any], folder: Path) -> None:
        declared["modules"][1]["trigers"] = ["x"]
        declared["modules"][2]["file"] = "gone.txt"

    found = problems_of(written(tmp_path, change))
    assert f"{Y}: modules[1].trigers: unknown field; did you mean 'triggers'?" in found
    assert (
        f"{M}: modules[2].file: gone.txt: can't be read (No such file or directory); create it or fix the path" in found
    )


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (edit("modules", 1, version="1"), "version"),
        (edit("modules", 1, pattern="x"), "pattern"),
        (edit("slots", 0, triggers=["x"]), "triggers"),
        (edit(always=True), "always"),
    ],
    ids=["version in a module", "pattern in a module", "triggers in a slot", "always at the top"],
)
def test_a_field_in_the_wrong_place_is_not_suggested_there(tmp_path: Path, change: Change, name: str) -> None:
    """``did you mean 'version'?`` about ``version`` helps nobody."""
    (problem,) = problems_of(written(tmp_path, change))
    assert f".{name}: unknown field" in problem.replace(" always:", " .always:")
    assert f"did you mean '{name}'" not in problem


@pytest.mark.parametrize(
    "file",
    ["../other/core.txt", "tools/../../other/core.txt", "/etc/hostname", "..", "//etc/hostname"],
    ids=["up", "down and up", "absolute", "folder above", "two slashes"],
)
def test_paths_out_of_the_folder_are_refused(tmp_path: Path, file: str) -> None:
    """Also when the file is there."""
    written(tmp_path, name="other")
    (problem,) = problems_of(written(tmp_path, edit("modules", 1, file=file)))
    assert problem.startswith(f"{M}: modules[1].file: {file}: ")
    assert "outside" in problem


def test_sample_longer_than_its_slot_is_a_problem(tmp_path: Path) -> None:
    """The profile would not recognise its own prompt."""
    found = problems_of(written(tmp_path, edit("slots", 0, max_chars=5)))
    assert len(found) == 1
    assert found[0].startswith(f"{M}: slots[0].")


YAML: dict[str, tuple[str, str]] = {
    "empty": ("", r"\(top level\): input should be a valid dictionary or instance of ProfileFile"),
    "a list": ("- a\n", r"\(top level\): input should be a valid dictionary or instance of ProfileFile"),
    "broken": ("profile: [a\nversion: 1\n", r"not valid YAML at line 2: .+"),
    "tab": ("profile:\n\t- a\n", r"not valid YAML at line 2: .+"),
    "control character": ("profile: \x01\n", r"not valid YAML"),
    "python object": ("profile: !!python/object/apply:os.getcwd []\n", r"not valid YAML at line 1: .+"),
    "two documents": ("profile: a\n---\nprofile: b\n", r"not valid YAML at line 2: .+"),
    "alias": ("profile: &a x\nversion: *a\n", r"YAML aliases \(\*name\) are not allowed; write the value out"),
    "alias bomb": (
        "a: &a [x, x, x]\n" + "".join(f"{c}: &{c} [*{p}, *{p}]\n" for p, c in zip("abcdefgh", "bcdefghi", strict=True)),
        r"YAML aliases \(\*name\) are not allowed; write the value out",
    ),
    "deep nesting": ("profile: " + "[" * 5_000 + "]" * 5_000, r"nested more than 40 deep.*"),
    "impossible date": ("profile: mast\nversion: 2026-13-45\n", r"not valid YAML.*"),
    "huge number": (f"profile: mast\nversion: {'9' * 5_000}\n", r"not valid YAML.*|version: .*"),
}


@pytest.mark.parametrize(("text", "expected"), YAML.values(), ids=YAML.keys())
def test_bad_yaml_is_one_problem_with_its_file(tmp_path: Path, text: str, expected: str) -> None:
    """Never an exception of another kind, never a hang."""
    folder = written(tmp_path, lambda declared, folder: declared.clear())
    (folder / "profile.yaml").write_text(text)
    found = problems_of(folder)
    assert any(re.fullmatch(f"{re.escape(Y)}: {expected}", problem) for problem in found), found


def test_key_that_is_there_twice_is_a_problem(tmp_path: Path) -> None:
    """YAML's reader would take the last one and drop the other without a word."""
    folder = written(tmp_path)
    with (folder / "profile.yaml").open("a") as file:
        file.write("version: '2.0'\n")
    (problem,) = problems_of(folder)
    assert problem.startswith(f"{Y}: ")
    assert "version" in problem


def test_file_name_that_no_system_takes_is_a_problem(tmp_path: Path) -> None:
    found = problems_of(written(tmp_path, edit("modules", 1, file="a\0b")))
    assert len(found) == 1
    assert found[0].startswith(f"{M}: modules[1].file: ")


def test_all_profiles_are_checked_at_once(tmp_path: Path) -> None:
    """One bad profile doesn't hide another's problems."""
    written(tmp_path, edit("modules", 1, file="gone.txt"))
    written(tmp_path, edit(profile="tower", verison="1"), name="tower")
    with pytest.raises(ConfigurationError) as caught:
        load_profiles(tmp_path / "modules", count_words)
    assert caught.value.problems == (
        f"{M}: modules[1].file: gone.txt: can't be read (No such file or directory); create it or fix the path",
        "modules/tower/profile.yaml: verison: unknown field; did you mean 'version'?",
    )


def test_no_folder_and_no_profile(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_profiles(tmp_path / "gone", count_words)
    assert caught.value.problems == (
        f"{tmp_path}/gone: no such folder; set `profiles` to the folder that holds the profiles",
    )
    with pytest.raises(ConfigurationError) as caught:
        load_profiles(tmp_path, count_words)
    assert caught.value.problems == (f"{tmp_path}: holds no profile; a profile is a folder with a profile.yaml",)


ROUTING_MODELS = {
    "all": (
        {"model": "a", "hedge_model": "b", "model_timeout": 2, "model_budget_usd_per_hour": 3, "model_lists": "needed"},
        [],
    ),
    "settings of none": (
        {"model_timeout": 2, "hedge_model": "b"},
        [
            f"{M}: router.hedge_model: goes with `router.model`; name the routing model, or remove it",
            f"{M}: router.model_timeout: goes with `router.model`; name the routing model, or remove it",
        ],
    ),
    "a hedge that is none": (
        {"model": "a", "hedge_model": "a"},
        [f"{M}: router.hedge_model: is the routing model itself; name another, or remove it"],
    ),
    "no time": ({"model": "a", "model_timeout": 0}, [f"{Y}: router.model_timeout: input should be greater than 0"]),
    "lists of none": (
        {"model_lists": "needed"},
        [f"{M}: router.model_lists: goes with `router.model`; name the routing model, or remove it"],
    ),
    "an unknown list": (
        {"model": "a", "model_lists": "perhaps"},
        [f"{Y}: router.model_lists: input should be 'needed' or 'both'"],
    ),
}


@pytest.mark.parametrize(("router", "expected"), ROUTING_MODELS.values(), ids=ROUTING_MODELS.keys())
def test_a_routing_models_settings(tmp_path: Path, router: dict[str, object], expected: list[str]) -> None:
    folder = written(tmp_path, edit(router=router))
    if expected:
        assert list(problems_of(folder)) == expected
    else:
        loaded = load_profile(folder, count_words).routing_model
        assert loaded is not None
        assert (loaded.model, loaded.hedge_model, loaded.timeout_seconds, loaded.budget_usd_per_hour) == (
            "a",
            "b",
            2,
            3,
        )
        assert loaded.lists == "needed"


def test_what_waits_for_labels_leaves_the_core_for_a_routing_model(tmp_path: Path) -> None:
    """As a proxy loads it; who edits or fits the profile sees what the file says."""
    in_core = edit("modules", 1, always=True, until_labelled=True)

    def change(declared: dict[str, Any], folder: Path) -> None:
        in_core(declared, folder)
        declared["router"] = {"model": "a"}

    folder = written(tmp_path, change)
    declared = load_profile(folder, count_words)
    [routed] = load_profiles(tmp_path / "modules", count_words)
    assert (declared.modules[1].always, routed.modules[1].always) == (True, False)
    assert declared.routing == routed.routing
    assert declared.router == routed.router
