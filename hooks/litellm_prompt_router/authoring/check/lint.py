"""Checks of a loaded profile that need nothing but the profile: requirements, triggers, slots and `ignore:` rules.

Errors make it behave otherwise than it says, warnings are probable oversights, notes may be intended.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from litellm_prompt_router.documents.plurals import many
from litellm_prompt_router.profile.profile import Module, Profile, Slot
from litellm_prompt_router.profile.topic_pieces import pieces_of_topics
from litellm_prompt_router.request.route import Router, with_model_choosing
from litellm_prompt_router.request.route.own_words import own_words
from litellm_prompt_router.request.route.triggers import ATTACHMENT_PREFIX, TriggerIndex, folded, words_of
from litellm_prompt_router.request.types import Turn

EVERYTHING_SHARE = 0.25
"""A trigger that matches this share of everyday messages says nothing about what they need."""
OTHERS_SHARE = 0.6
ENOUGH_OTHERS = 10

EVERYDAY = (
    "Please book a table for four on Friday evening.",
    "Why is the build failing on the main branch?",
    "Translate this letter into Portuguese.",
    "What is the difference between a lease and a rental?",
    "Fix the bug in the login form and run the tests.",
    "Summarise the attached report in five sentences.",
    "Remind me tomorrow at nine to call the dentist.",
    "How many people live in Nairobi?",
    "Write a poem for my grandmother's birthday.",
    "Sort these invoices by date and add them up.",
    "Can you make the button on the left bigger?",
    "Send an e-mail to the whole team about the new office.",
    "Which of the two flights is cheaper?",
    "Delete the old backups from the server.",
    "Draw a diagram of the payment process.",
    "Find me three papers on coral bleaching.",
    "My printer doesn't work any more, what should I check?",
    "Rename the function and update all callers.",
    "Compare last year's sales with this year's.",
    "Set the heating in the living room to twenty degrees.",
    "Erkläre mir bitte, wie eine Wärmepumpe funktioniert.",
    "Quelle est la meilleure recette de ratatouille ?",
    "¿Puedes revisar este contrato antes del lunes?",
    "帮我写一封求职信。",
)

PROSE = (
    "Some text that nobody has seen before, with a date (3 May), a path (/srv/data) and a name or two.\n\n"
    "## A heading\n\n- first point: do this\n- second point: don't do that\n\nAnother paragraph ends it, 42 times.\n"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """Each line names the profile, the place, what is wrong and what to do."""

    warnings: tuple[str, ...]
    notes: tuple[str, ...]


def lint(profile: Profile) -> Findings:
    """The findings of one profile."""
    paths = {m.id: f"{profile.name}: modules[{number}] {m.id}" for number, m in enumerate(profile.modules)}
    warnings = [
        *_unreachable(profile, paths),
        *_mixed_topics(profile, paths),
        *_useless_triggers(profile, paths),
        *_greedy_slots(profile),
        *_ignored_user_words(profile),
        *_outdated_tuning(profile),
        *_needless_when(profile, paths),
    ]
    return Findings(
        warnings=tuple(warnings),
        notes=(
            *_topics(profile, paths),
            *_needless_triggers(profile, paths),
            *_left_alone(profile),
            *_asked_about(profile),
        ),
    )


def expected_token_reduction(profile: Profile) -> float | None:
    """The mean share of the prompt's tokens that its modules' examples don't need; None without examples."""
    router = Router(profile)
    total = sum(module.tokens for module in profile.modules)
    sizes = {module.id: module.tokens for module in profile.modules}
    kept = [
        sum(sizes[id] for id in {module.id, *router.decide((Turn(role="user", text=example),)).modules})
        for module in profile.modules
        for example in module.examples
    ]
    return 1 - sum(kept) / len(kept) / total if kept and total else None


def _topics(profile: Profile, paths: Mapping[str, str]) -> Iterable[str]:
    """One line for each set of modules that require each other, and so are one to routing and labels."""
    for first, pieces in pieces_of_topics(profile.modules).items():
        if len(pieces) > 1:
            own = [profile.modules[piece] for piece in pieces]
            sent = "always sent" if any(module.always for module in own) else "routed as one"
            others = ", ".join(module.id for module in own[1:])
            where = paths[profile.modules[first].id]
            yield f"{where}: one topic with {others}: they require each other, and are {sent}"


def _mixed_topics(profile: Profile, paths: Mapping[str, str]) -> Iterable[str]:
    """Pieces of one topic that disagree on what becomes of it."""
    for first, pieces in pieces_of_topics(profile.modules).items():
        own = [profile.modules[piece] for piece in pieces]
        for name in ("always", "optional"):
            having = [module.id for module in own if getattr(module, name)]
            if 0 < len(having) < len(own):
                yield (
                    f"{paths[profile.modules[first].id]}: of the modules that require each other only"
                    f" {', '.join(having)} {'has' if len(having) == 1 else 'have'} `{name}`; give it to all or to none"
                )


def _unreachable(profile: Profile, paths: Mapping[str, str]) -> Iterable[str]:
    """Modules that are required, but only by modules that nothing selects."""
    by_id = {module.id: module for module in profile.modules}
    todo = [m.id for m in profile.modules if m.always or m.triggers or m.tools]
    reached = set(todo)
    while todo:
        for needed in by_id[todo.pop()].requires:
            if needed not in reached:
                reached.add(needed)
                todo.append(needed)
    required = {needed for module in profile.modules for needed in module.requires if needed != module.id}
    for module in profile.modules:
        if module.id in required and module.id not in reached:
            yield f"{paths[module.id]}: required only by modules that nothing selects; add triggers or tools"


def _useless_triggers(profile: Profile, paths: Mapping[str, str]) -> Iterable[str]:
    everyday = [_folded_words(text) for text in EVERYDAY]
    examples = [(module.id, _folded_words(text)) for module in profile.modules for text in module.examples]
    for module in profile.modules:
        others = [read for owner, read in examples if owner != module.id]
        for number, trigger in enumerate(module.triggers):
            if trigger.startswith(ATTACHMENT_PREFIX):
                continue
            where = f"{paths[module.id]}: triggers[{number}] {trigger!r}"
            index = TriggerIndex([(0, trigger)])
            if not index.match(*_folded_words(trigger.replace("*", "")), ()):
                yield f"{where}: matches nothing, not even itself; write it as words of one script"
                continue
            hits = sum(bool(index.match(*read, ())) for read in everyday)
            if hits >= EVERYTHING_SHARE * len(everyday):
                yield f"{where}: matches {hits} of {len(everyday)} everyday messages; use a word that tells more"
                continue
            hits = sum(bool(index.match(*read, ())) for read in others)
            if len(others) >= ENOUGH_OTHERS and hits >= OTHERS_SHARE * len(others):
                yield f"{where}: matches {hits} of {len(others)} examples of other modules; use a word that tells more"


def _needless_triggers(profile: Profile, paths: Mapping[str, str]) -> Iterable[str]:
    """Triggers that are another module's too, and those that a shorter one of their own module makes needless."""
    owners: dict[str, Module] = {}
    for module in profile.modules:
        for number, trigger in enumerate(module.triggers):
            where = f"{paths[module.id]}: triggers[{number}] {trigger!r}"
            form = " ".join(folded(trigger).split())
            other = owners.setdefault(form, module)
            if other is not module:
                yield f"{where}: is a trigger of {other.id} too; keep it where it belongs, or use `requires`"
            if trigger.startswith(ATTACHMENT_PREFIX):
                continue
            own = [each for each in module.triggers if each != trigger and not each.startswith(ATTACHMENT_PREFIX)]
            covered = TriggerIndex(enumerate(own)).match(*_folded_words(trigger.replace("*", "")), ())
            if covered and not trigger.endswith("*"):
                yield f"{where}: adds nothing to {own[min(covered)]!r}; remove it"


def _outdated_tuning(profile: Profile) -> Iterable[str]:
    """A tuning that was made when modules were selected otherwise, so that it doesn't hold."""
    outdated = profile.outdated_tuning
    if outdated is not None:
        yield f"{profile.name}: economics: {outdated}, so it doesn't hold: run `prompt-router simulate --tune` again"


def _left_alone(profile: Profile) -> Iterable[str]:
    """A tuning that keeps the profile from doing anything."""
    if profile.left_alone is not None:
        yield f"{profile.name}: economics: {profile.left_alone}"


def _needless_when(profile: Profile, paths: Mapping[str, str]) -> Iterable[str]:
    """Lines for the routing model at modules that it isn't asked about."""
    for module in profile.modules:
        if module.when and module.always and not module.until_labelled:
            yield f"{paths[module.id]}: when: says nothing to anybody, since the module is always sent; remove it"


def _asked_about(profile: Profile) -> Iterable[str]:
    """What leaves the core because a routing model is asked about it."""
    asked = {module.id for module in with_model_choosing(profile).modules if not module.always}
    freed = [module.id for module in profile.modules if module.always and module.id in asked]
    if freed:
        yield (
            f"{profile.name}: router.model: is asked about {many(len(freed), 'module')} with until_labelled, too: left"
            f" out where it names them in neither list: {', '.join(freed)}"
        )


def _greedy_slots(profile: Profile) -> Iterable[str]:
    slots = {part.name: part for module in profile.modules for part in module.parts if isinstance(part, Slot)}
    for slot in slots.values():
        if slot.max_chars >= len(PROSE) and slot.pattern.fullmatch(PROSE) is not None:
            yield (
                f"{profile.name}: slots: {slot.name}: takes any text, so it would swallow a new section;"
                " narrow its pattern or lower its max_chars"
            )


def _ignored_user_words(profile: Profile) -> Iterable[str]:
    """Rules that take away words of ordinary user messages."""
    texts = [*EVERYDAY, *(example for module in profile.modules for example in module.examples)]
    taken = [text for text in texts if own_words(Turn(role="user", text=text), profile.ignore).text != text]
    if taken:
        yield (
            f"{profile.name}: ignore: takes words from {len(taken)} of {len(texts)} messages as users write them,"
            f" such as {taken[0]!r}; narrow its rules"
        )


def _folded_words(text: str) -> tuple[str, list[str]]:
    form = folded(text)
    return form, words_of(form)
