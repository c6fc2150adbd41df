"""REVIEW.md: what an agent's owner reads before the drafted profile goes live."""

from __future__ import annotations

from collections.abc import Iterable

from litellm_prompt_router.authoring.split.draft import Draft, DraftModule

MAX_SHOWN_CHARS = 80


def review_of(draft: Draft) -> str:
    """``REVIEW.md`` of the draft: sizes, what is core and why, every doubt, slots and proposals."""
    return "\n".join(_lines(draft)) + "\n"


def _lines(draft: Draft) -> Iterable[str]:
    core = [module for module in draft.modules if module.always]
    share = draft.core_tokens / max(draft.tokens, 1)
    yield f"# Review of the draft profile {draft.name}"
    yield ""
    yield (
        f"{len(draft.modules)} modules, {len(draft.prompt):,} characters, {draft.tokens:,} tokens, from "
        f"{draft.sample_count} {'sample' if draft.sample_count == 1 else 'samples'}. "
        f"The core, sent with every request, is {len(core)} modules with {draft.core_tokens:,} tokens ({share:.0%})."
    )
    yield ""
    yield (
        "Everything here was drafted from the text. Go through the doubts, then the core, then the modules that are "
        "left out at times; change `profile.yaml`, and run `prompt-router check` again."
    )
    yield from _doubts(draft)
    yield from ("", "## Core: sent with every request", "")
    yield from _table(("module", "tokens", "share", "why"), [(m.id, *_size(m, draft), _cell(m.reason)) for m in core])
    yield from ("", "## Sent when needed", "")
    rows = [
        (m.id, *_size(m, draft), _list(m.triggers), _list(m.tools), _list(m.requires))
        for m in draft.modules
        if not m.always
    ]
    yield from _table(("module", "tokens", "share", "triggers", "tools", "requires"), rows)
    yield from _ignored(draft)
    yield from _slots(draft)
    yield from _proposals(draft)


def _doubts(draft: Draft) -> Iterable[str]:
    yield from ("", f"## Doubts ({len(draft.doubts)})", "")
    if not draft.doubts:
        yield "None."
    for doubt in draft.doubts:
        yield f"- [ ] {f'`{doubt.module}`: ' if doubt.module else ''}{_cell(doubt.text)}"


def _ignored(draft: Draft) -> Iterable[str]:
    if not draft.ignore:
        return
    yield from ("", "## Ignored in user messages: what the agent puts around its users' words", "")
    yield from _table(("rule", "value"), [(name, f"`{_cell(value)}`") for name, value in draft.ignore])


def _slots(draft: Draft) -> Iterable[str]:
    if not draft.slots:
        return
    yield from ("", "## Slots: what varies, carried through as it comes", "")
    rows = [
        (
            slot.name,
            "yes" if slot.volatile else "",
            slot.description,
            f"`{_cell(slot.sample)}`",
            f"`{_cell(slot.pattern)}`",
        )
        for slot in draft.slots
    ]
    yield from _table(("slot", "volatile", "seen", "sample", "pattern"), rows)


def _proposals(draft: Draft) -> Iterable[str]:
    if not draft.proposals:
        return
    yield from ("", "## Likely slots, not applied", "")
    yield (
        "These look as if they varied. Split again with a second captured version of the prompt, or with "
        "`--apply-slots`, to make slots of them; leave them when they are part of an example."
    )
    yield ""
    rows = [(p.kind, str(p.line), p.module, f"`{_cell(p.value)}`") for p in draft.proposals]
    yield from _table(("kind", "line", "module", "value"), rows)


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterable[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _size(module: DraftModule, draft: Draft) -> tuple[str, str]:
    return f"{module.tokens:,}", f"{module.tokens / max(draft.tokens, 1):.1%}"


def _list(values: tuple[str, ...]) -> str:
    return ", ".join(_cell(value) for value in values)


def _cell(text: str) -> str:
    """Text as it can stand in a table: one printable line, without bars and backquotes."""
    line = " ".join(text[: 4 * MAX_SHOWN_CHARS].split())
    line = "".join(character if character.isprintable() else "?" for character in line)
    line = line.replace("|", "\\|").replace("`", "'")
    return line if len(line) <= 2 * MAX_SHOWN_CHARS else line[: 2 * MAX_SHOWN_CHARS - 3] + "..."
