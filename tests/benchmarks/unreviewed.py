"""What an unedited draft leaves out of labelled messages: before a review, after one, and by its triggers alone.

    LITELLM_LOCAL_MODEL_COST_MAP=True python -m tests.benchmarks.unreviewed FOLDER

FOLDER holds ``prompt.txt``, ``groups.json`` (by group its ``spans``, ``[start, end)`` in characters of the prompt; the
group ``core`` is always needed) and ``messages*.jsonl`` (``text``, ``history``, ``tool_calls`` and ``needs``, names of
groups). A group needs every module of the draft that holds a character of it other than white space. Before the review
every module is on the wire, whatever is decided. Two tables: the draft as it is, where much or all may be core; and
with no more in the core than the labels say, so that routing alone decides on the rest. "Triggers only" is what routing
without a base would select by the triggers that were drafted.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

from rich.console import Console
from rich.table import Table

from litellm_prompt_router.authoring.evaluate import Comparison, compare
from litellm_prompt_router.authoring.split import split_prompt
from litellm_prompt_router.authoring.split.draft_trial import profile_of
from litellm_prompt_router.files.labelled_messages import Case, Numbered
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.profile.tokens import token_counter

CORE = "core"


def modules_of(profile: Profile, spans: Sequence[Sequence[int]]) -> tuple[str, ...]:
    """The modules that hold a part of these spans of the prompt's text."""
    text = profile.text
    ends = list(accumulate(len(module.text) for module in profile.modules))
    found = []
    for module, end in zip(profile.modules, ends, strict=True):
        start = end - len(module.text)
        if any(text[max(start, a) : min(end, b)].strip() for a, b in spans):
            found.append(module.id)
    return tuple(found)


def cases_of(folder: Path, groups: Mapping[str, tuple[str, ...]]) -> list[Numbered]:
    lines = [json.loads(line) for file in sorted(folder.glob("messages*.jsonl")) for line in file.open()]
    cases = []
    for number, line in enumerate(lines, 1):
        needs = tuple(dict.fromkeys(module for name in (CORE, *line["needs"]) for module in groups[name]))
        calls = tuple(line["tool_calls"])
        cases.append((number, Case(text=line["text"], history=tuple(line["history"]), tool_calls=calls, needs=needs)))
    return cases


def show(title: str, comparison: Comparison) -> None:
    table = Table("router", "all messages", "first needs", "tokens kept", title=title, title_justify="left")
    for row in comparison.standings:
        first = "-" if row.first_need_coverage is None else f"{row.first_need_coverage:.1%}"
        table.add_row(row.router, f"{row.coverage:.1%}", first, f"{row.kept_tokens:.1%}")
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    prompt = (folder / "prompt.txt").read_bytes().decode()
    profile = profile_of(split_prompt([prompt], name="draft", count_tokens=token_counter()))
    assert profile.text == prompt
    stated = json.loads((folder / "groups.json").read_text("utf-8"))
    groups = {name: modules_of(profile, group["spans"]) for name, group in stated.items()}
    stripped = tuple(replace(module, always=module.id in groups[CORE]) for module in profile.modules)
    print(f"{len(prompt):,} characters, {len(profile.modules)} modules in the draft")
    for what, tried in (("as drafted", profile), ("core as labelled", replace(profile, modules=stripped))):
        comparison = compare(tried, cases_of(folder, groups))
        core = sum(module.always for module in tried.modules)
        counts = f"{core} modules in the core, {comparison.cases:,} messages, {comparison.first_needs:,} first needs"
        show(f"{what}: {counts}", comparison)


if __name__ == "__main__":
    main()
