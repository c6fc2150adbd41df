"""The procedure: write for a module, drop what is there already, label anew, keep what both agree on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from litellm_prompt_router.authoring.examples import wording
from litellm_prompt_router.authoring.examples.asking import PatientModel
from litellm_prompt_router.authoring.examples.harvest import Harvest, Message, routed
from litellm_prompt_router.authoring.examples.overlap import SeenMessages
from litellm_prompt_router.profile.profile import Module, Profile

MAX_BARREN_ROUNDS = 4
"""Rounds in a row that bring nothing before a module is given up."""


def write_examples(
    profile: Profile,
    harvest: Harvest,
    asker: PatientModel,
    *,
    per_module: int,
    changed: Callable[[Module], None],
    labeller: PatientModel | None = None,
) -> None:
    """Fills ``harvest`` until each routed module has ``per_module`` messages or the model has no more.

    ``labeller`` labels the messages a second time; without one the model that wrote them does. ``changed`` is called
    whenever the harvest of a module has changed, which is when to save it. Raises ModelFailedError when a model gives
    no answer.
    """
    system = wording.introduction(profile)
    known = _known(profile, harvest)
    for module in routed(profile):
        barren = 0
        while len(harvest.of(module).kept) < per_module and barren < MAX_BARREN_ROUNDS:
            before = len(harvest.of(module).kept)
            if not harvest.of(module).pending:
                _write(profile, harvest, asker, module, system, known)
                changed(module)
            if harvest.of(module).pending:
                _label(profile, harvest, labeller or asker, module, system, known)
                changed(module)
            barren = 0 if len(harvest.of(module).kept) > before else barren + 1


def _known(profile: Profile, harvest: Harvest) -> SeenMessages:
    """The profile's own examples, and what earlier runs kept."""
    known = SeenMessages()
    for module in routed(profile):
        for message in (*_own_examples(module), *harvest.of(module).kept):
            known.add(message, module.id)
    return known


def _own_examples(module: Module) -> Iterable[Message]:
    return (Message(text=text, needs=(module.id,)) for text in module.examples)


def _write(
    profile: Profile, harvest: Harvest, asker: PatientModel, module: Module, system: str, known: SeenMessages
) -> None:
    now = harvest.of(module)
    written = asker.ask(
        system=system,
        user=wording.writing(module, now.rounds, (*_own_examples(module), *now.kept)),
        parse=lambda answer: wording.read_messages(answer, module, profile),
    )
    pending: list[Message] = []
    fresh = SeenMessages()
    near_duplicates = others = 0
    for message in written or ():
        owners = {*known.owners(message), *fresh.owners(message)}
        if owners - {module.id, *message.needs}:
            others += 1
        elif owners:
            near_duplicates += 1
        else:
            pending.append(message)
            fresh.add(message, module.id)
    harvest.modules[module.id] = replace(
        now,
        rounds=now.rounds + 1,
        pending=tuple(pending),
        near_duplicates=now.near_duplicates + near_duplicates,
        others=now.others + others,
    )


def _label(
    profile: Profile, harvest: Harvest, asker: PatientModel, module: Module, system: str, known: SeenMessages
) -> None:
    now = harvest.of(module)
    labels = asker.ask(system=system, user=wording.labelling(now.pending), parse=wording.read_labels) or {}
    kept = list(now.kept)
    others = disagreements = 0
    for number, message in enumerate(now.pending, 1):
        needs = labels.get(number)
        if needs is not None and needs and module.id not in with_required(needs, profile):
            others += 1
        elif needs is None or with_required(needs, profile) != with_required(message.needs, profile):
            disagreements += 1
        else:
            kept.append(message)
            known.add(message, module.id)
    harvest.modules[module.id] = replace(
        now,
        kept=tuple(kept),
        pending=(),
        others=now.others + others,
        disagreements=now.disagreements + disagreements,
    )


def with_required(needs: Iterable[str], profile: Profile) -> frozenset[str]:
    """The modules, those they require, and so on; without the core, which is there anyway."""
    by_id = {module.id: module for module in profile.modules}
    found: set[str] = set()
    waiting = list(needs)
    while waiting:
        id = waiting.pop()
        module = by_id.get(id)
        if id not in found and not (module is not None and module.always and not module.until_labelled):
            found.add(id)
            waiting.extend(module.requires if module is not None else ())
    return frozenset(found)
