"""REVIEW.md: what an agent's owner reads before the drafted profile goes live, what could go wrong first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from litellm_prompt_router.authoring.split.draft import Draft, DraftModule
from litellm_prompt_router.authoring.split.essential_text import obligations_in

MAX_SHOWN_CHARS = 80
MAX_RULES = 12
MAX_MESSAGES = 8
RISK_TITLE = "## What may be left out"
UNPROVEN_TITLE = "## In the core until labels show who needs it"
NOTHING = "Nothing. Every request gets the whole prompt, until labelled messages show who needs what."
NO_REQUEST = (
    "No request was given, so nothing shows which tools requests declare: every module is in the core. To save"
    " anything, draft it from captured traffic (`learn`) or with `--request`, label messages and run"
    " `fit`, or name a routing model."
)

NO_TOOLS_DECLARED = (
    "Nothing yet: the captured requests declare no tools, so nothing shows what is optional, and labels from captured"
    " tool use won't work: every module is in the core. To save anything, label messages (`label`, `examples --llm`)"
    " and run `fit`, or name a routing model."
)


def review_of(draft: Draft) -> str:
    """``REVIEW.md`` of the draft: what may be left out, what is core and why, every doubt, how to accept it."""
    return "\n".join(_lines(draft)) + "\n"


def quotes_messages(draft: Draft) -> bool:
    """True where the sheet may hold messages of users: the draft was made of captured traffic."""
    return draft.conversations > 0


def risky_part(sheet: str) -> str:
    """The part of a REVIEW.md on what may be left out; empty where it has none."""
    start = sheet.find(RISK_TITLE)
    end = sheet.find("\n## ", start + 1)
    return sheet[start : end if end >= 0 else len(sheet)].strip() if start >= 0 else ""


def _lines(draft: Draft) -> Iterable[str]:
    optional = [module for module in draft.modules if not module.always]
    unproven = [module for module in draft.modules if module.until_labelled]
    essential = [module for module in draft.modules if module.always and not module.until_labelled]
    yield f"# Review of the draft profile {draft.name}"
    yield ""
    yield (
        f"{len(draft.modules)} modules, {len(draft.prompt):,} characters, {draft.tokens:,} tokens, from "
        f"{draft.sample_count} {'sample' if draft.sample_count == 1 else 'samples'}. "
        f"{_share_of(optional, draft)} may be left out, {_share_of(unproven, draft)} "
        f"could be once messages are labelled, {_share_of(essential, draft)} is sent with every request for good."
    )
    yield ""
    yield (
        "Everything here was drafted from the text. This file quotes the prompt"
        f"{' and captured messages of users' if quotes_messages(draft) else ''}: keep it where they may be seen. "
        f"Until the profile is accepted (last section), it runs in shadow mode at most and leaves nothing out."
    )
    yield from _risks(draft, optional)
    yield from ("", UNPROVEN_TITLE, "")
    yield "Sent with every request, because nothing shows who needs it. `prompt-router fit` takes out what labels show."
    yield ""
    yield from _core(unproven, draft)
    yield from ("", "## In the core for good", "")
    yield "Labels don't take these out. Where the reason is wrong, add `until_labelled: true` in `profile.yaml`."
    yield ""
    yield from _core(essential, draft)
    yield from _doubts(draft)
    yield from _ignored(draft)
    yield from _slots(draft)
    yield from _proposals(draft)
    yield from ("", "## To accept", "")
    yield (
        f"`prompt-router review {draft.name} --accept` checks the profile and sets `reviewed: true` in `profile.yaml`; "
        "setting it by hand does the same."
    )


def _risks(draft: Draft, optional: Sequence[DraftModule]) -> Iterable[str]:
    yield from ("", f"{RISK_TITLE} ({len(optional)} modules)", "")
    if not optional:
        yield _nothing(draft)
    else:
        yield (
            "Each is left out of requests that declare tools of this profile and none of its own. Read its rules: one"
            " that holds without the tool belongs into the core (`always: true`)."
        )
    for module in optional:
        yield from ("", f"### {module.id} ({' tokens, '.join(_size(module, draft))})", "")
        yield f"- [ ] {_cell(module.evidence)}"
        rules = list(obligations_in(module.text))
        yield f"- rules in it: {len(rules) or 'none'}"
        yield from _quotes(rules, MAX_RULES)
        lost = module.lost_messages
        if draft.conversations:
            yield f"- captured messages that came without its tools, and would lose it: {len(lost) or 'none'}"
            yield from _quotes(lost, MAX_MESSAGES)
        if module.triggers:
            yield f"- words that bring it all the same: {_list(module.triggers)}"
        if module.requires:
            yield f"- brings with it: {_list(module.requires)}"


def _nothing(draft: Draft) -> str:
    if draft.declared:
        return NOTHING
    return NO_TOOLS_DECLARED if draft.conversations else NO_REQUEST


def _quotes(texts: Sequence[str], most: int) -> Iterable[str]:
    yield from (f"  - > {_cell(text)}" for text in texts[:most])
    if len(texts) > most:
        yield f"  - and {len(texts) - most} more"


def _core(modules: Sequence[DraftModule], draft: Draft) -> Iterable[str]:
    columns = ("module", "tokens", "share", "why", "tools")
    rows = [(m.id, *_size(m, draft), _cell(m.reason), _list(m.tools)) for m in modules]
    yield from _table(columns, rows)


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


def _share_of(modules: Sequence[DraftModule], draft: Draft) -> str:
    return f"{sum(module.tokens for module in modules) / max(draft.tokens, 1):.0%}"


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
