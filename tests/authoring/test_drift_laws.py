"""What holds of every update, whatever the prompt and whatever became of it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from litellm_prompt_router.authoring.drift import UpdatePlan, apply_update, files_of, plan_update
from litellm_prompt_router.authoring.drift.match_modules import match_modules
from litellm_prompt_router.authoring.split import split_prompt, write_draft
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files import load_profile
from litellm_prompt_router.profile.profile import Module, Slot
from tests.law_examples import examples

WORDS = (
    "table",
    "chart",
    "file",
    "query",
    "search",
    "commit",
    "表格",
    "данные",
    "Größe",
    "{{date}}",
    "`code`",
    "never",
)


@st.composite
def lines(draw: st.DrawFn) -> str:
    words = draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=12))
    lead = draw(st.sampled_from(["", "- ", "  ", "1. ", "> "]))
    return lead + " ".join(words) + draw(st.sampled_from([".", "", ":", " 7."]))


@st.composite
def sections(draw: st.DrawFn) -> str:
    """A section of one of several kinds, with a body long enough to be cut or short enough to be joined."""
    title = " ".join(draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=4)))
    heading = draw(st.sampled_from([f"# {title}\n\n", f"## {title}\n", f"<{title[:1]}x>\n", f"{title}\n===\n", ""]))
    body = draw(st.lists(lines(), min_size=1, max_size=12))
    repeat = draw(st.sampled_from([1, 1, 1, 6]))
    return heading + "\n".join(body * repeat) + draw(st.sampled_from(["\n\n", "\n", "\n\n\n", "  \n", ""]))


PROMPTS = st.lists(sections(), min_size=1, max_size=9).map("".join).filter(str.strip)


@st.composite
def versions(draw: st.DrawFn) -> tuple[str, str]:
    """A prompt and what its author made of it."""
    parts = draw(st.lists(sections(), min_size=1, max_size=9))
    before = "".join(parts)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(parts)))
        match draw(st.sampled_from(["insert", "delete", "swap", "edit", "double"])):
            case "insert":
                parts.insert(at, draw(sections()))
            case "delete" if len(parts) > 1:
                parts.pop(at - 1)
            case "swap":
                other = draw(st.integers(0, len(parts) - 1))
                parts[at - 1], parts[other] = parts[other], parts[at - 1]
            case "double":
                parts.insert(at, parts[at - 1])
            case _:
                own = parts[at - 1].splitlines(keepends=True)
                own[draw(st.integers(0, len(own) - 1))] = draw(lines()) + "\n"
                parts[at - 1] = "".join(own)
    after = "".join(parts)
    if draw(st.booleans()):
        after = draw(st.sampled_from([after.strip(), after.replace("\n", "\r\n"), f"\n{after}\n", after + " "]))
    return before, after


def metadata(module: Module) -> tuple[object, ...]:
    return (module.title, module.description, module.always, module.triggers, module.examples, module.tools)


def updated(
    root: Path, before: Sequence[str], after: str
) -> tuple[UpdatePlan, dict[str, Module], dict[str, Module], str]:
    """``(plan, modules before, modules after, profile.yaml)`` of a split, commented and updated profile."""
    folder = write_draft(split_prompt(before, name="any", count_tokens=len), root)
    declaration = folder / "profile.yaml"
    noted = [
        f"{line[: line.index('-')]}# kept {line.split()[-1]}\n{line}" if line.lstrip().startswith("- id:") else line
        for line in declaration.read_text("utf-8").splitlines(keepends=True)
    ]
    declaration.write_text("".join(noted), "utf-8")
    old = load_profile(folder, len)
    plan = plan_update(old, after, file_of=files_of(folder), count_tokens=len)
    apply_update(plan, folder)
    new = load_profile(folder, len)
    assert new.text == after
    assert new.version == "2"
    by_id = {module.id: module for module in old.modules}
    return plan, by_id, {module.id: module for module in new.modules}, declaration.read_text("utf-8")


def updated_if_related(
    root: Path, before: Sequence[str], after: str
) -> tuple[UpdatePlan, dict[str, Module], dict[str, Module], str]:
    """As ``updated``; prompts all of whose modules were edited are no example."""
    try:
        return updated(root, before, after)
    except ConfigurationError as error:
        assume("no module of it is in the new prompt" not in str(error))
        raise


@given(pair=versions())
@settings(max_examples=examples(60), deadline=None)
def test_an_updated_profile_joins_to_the_new_prompt(pair: tuple[str, str]) -> None:
    """Exactly; survivors keep their metadata and comments, unchanged ones their text; the gone leave nothing."""
    before, after = pair
    if not (before.strip() and after.strip()):
        return
    with tempfile.TemporaryDirectory() as root:
        plan, old, new, declared = updated_if_related(Path(root), [before], after)
        assert [planned.id for planned in plan.modules] == list(new)
        for planned in plan.modules:
            assert (f"# kept {planned.id}\n" in declared) == (planned.source is not None)
            if planned.source is not None:
                assert metadata(new[planned.id]) == metadata(old[planned.id])
            if planned.state in ("unchanged", "moved"):
                assert new[planned.id].text == old[planned.id].text
        gone = {planned.id for planned in plan.gone}
        assert gone == set(old) - set(new)
        assert not any(f"# kept {id}\n" in declared for id in gone)
        files = {str(path.relative_to(root)) for path in Path(root).rglob("*.txt")}
        assert files == {f"any/{planned.file}" for planned in plan.modules}


@given(prompt=PROMPTS)
@settings(max_examples=examples(15), deadline=None)
def test_the_same_prompt_changes_nothing(prompt: str) -> None:
    """Every module is unchanged and nothing needs a look."""
    with tempfile.TemporaryDirectory() as root:
        folder = write_draft(split_prompt([prompt], name="any", count_tokens=len), Path(root))
        plan = plan_update(load_profile(folder, len), prompt, file_of=files_of(folder), count_tokens=len)
        assert {planned.state for planned in plan.modules} == {"unchanged"}
        assert not plan.is_changed
        assert (plan.notes, plan.gone) == ((), ())


@given(prompt=PROMPTS, other=st.one_of(PROMPTS, st.text(max_size=200)))
@settings(max_examples=examples(30), deadline=None)
def test_stretches_cover_any_prompt(prompt: str, other: str) -> None:
    """Without gap or overlap, and no module twice."""
    with tempfile.TemporaryDirectory() as root:
        folder = write_draft(split_prompt([prompt], name="any", count_tokens=len), Path(root))
        stretches = match_modules(load_profile(folder, len), other)
    assert "".join(other[stretch.start : stretch.end] for stretch in stretches) == other
    owners = [stretch.module for stretch in stretches if stretch.module is not None]
    assert len(set(owners)) == len(owners)


@given(pair=versions())
@settings(max_examples=examples(15), deadline=None)
def test_slots_survive(pair: tuple[str, str]) -> None:
    """What varied stays a slot where its module is unchanged, with its pattern and the new value as its sample."""
    before, after = pair
    stamp = "# Today\nThe date of this call is 2026-0{0}-1{0}, and no other.\nIt was {0}00 degrees.\n\n"
    samples = [stamp.format(1) + before, stamp.format(2) + before]
    with tempfile.TemporaryDirectory() as root:
        plan, old, new, _ = updated_if_related(Path(root), samples, stamp.format(3) + after)
    for planned in plan.modules:
        if planned.state in ("unchanged", "moved"):
            was, now = (
                [part for part in module.parts if isinstance(part, Slot)]
                for module in (old[planned.id], new[planned.id])
            )
            assert [(s.max_chars, s.volatile) for s in was] == [(s.max_chars, s.volatile) for s in now]
            assert all(s.pattern.fullmatch(t.sample) for s, t in zip(was, now, strict=True))


def test_a_value_that_differs_between_two_places_becomes_two_slots(tmp_path: Path) -> None:
    """One sample can't stand for both; a name that the new prompt spells out isn't used."""
    stamp = "# Today\nThe date of this call is 2026-0{0}-1{0}, and no other.\n\n"
    body = "# Rules\n" + "Do what is asked, and nothing else.\n" * 3
    samples = [stamp.format(n) + body for n in (1, 2)]
    [slot] = split_prompt(samples, name="any", count_tokens=len).slots
    _, _, new, _ = updated(tmp_path, samples, stamp.format(3) + body + f"Write {{{{{slot.name}}}}} as it is.\n")
    names = [part.name for module in new.values() for part in module.parts if isinstance(part, Slot)]
    assert names == [f"{slot.name}_2"]
