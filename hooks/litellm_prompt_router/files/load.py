"""Reads profile folders: ``profile.yaml`` holds metadata, module text lives in files of its own.

In a module file ``{{name}}`` stands for the declared slot of that name; every other brace is text.
Everything wrong with every profile is collected and raised at once.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.documents.parsing import parse_yaml, read_inside, read_text
from litellm_prompt_router.documents.problems import explain_validation_error
from litellm_prompt_router.files.fit_files import SHORT_DIGEST, fit_digest, read_fitted, routing_digest
from litellm_prompt_router.files.profile_yaml import (
    PROFILE_FILE,
    EconomicsFile,
    ModuleFile,
    ProfileFile,
    RouterFile,
    UseFile,
    inconsistencies,
    named_files,
)
from litellm_prompt_router.local_embedding.known_models import problem_with
from litellm_prompt_router.profile.agents import AGENTS
from litellm_prompt_router.profile.fitted import Fitted
from litellm_prompt_router.profile.ignore_rules import ignore_of
from litellm_prompt_router.profile.patterns import check_slot_pattern, compile_pattern
from litellm_prompt_router.profile.profile import (
    NO_ROUTER,
    Economics,
    EmbeddingSettings,
    Module,
    ObservedUse,
    Profile,
    RoutingModelSettings,
    Slot,
)
from litellm_prompt_router.request.route import with_model_choosing
from litellm_prompt_router.request.route.section_index import SectionIndex


def load_profiles(root: Path, count_tokens: Callable[[str], int]) -> tuple[Profile, ...]:
    """Every profile folder under ``root``, by name, as it is routed. Raises ConfigurationError with all problems."""
    if not root.is_dir():
        raise ConfigurationError([f"{root}: no such folder; set `profiles` to the folder that holds the profiles"])
    folders = sorted(path.parent for path in root.glob(f"*/{PROFILE_FILE}"))
    problems = [
        f"{root.name}/{p.parent.name}/{p.name}: rename it to {PROFILE_FILE}" for p in root.glob("*/profile.yml")
    ]
    if not folders and not problems:
        raise ConfigurationError([f"{root}: holds no profile; a profile is a folder with a {PROFILE_FILE}"])
    profiles: list[Profile] = []
    for folder in folders:
        try:
            profiles.append(with_model_choosing(load_profile(folder, count_tokens)))
        except ConfigurationError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigurationError(problems)
    return tuple(profiles)


def load_profile(folder: Path, count_tokens: Callable[[str], int], *, as_fitted: bool = True) -> Profile:
    """The profile in ``folder``. Raises ConfigurationError with every problem found in it.

    ``as_fitted``: with what `prompt-router fit` learned, which must then belong to the texts as they are.
    """
    where = f"{folder.parent.name}/{folder.name}"
    raw = read_text(folder / PROFILE_FILE, f"{where}/{PROFILE_FILE}")
    document = parse_yaml(raw, f"{where}/{PROFILE_FILE}")
    problems: list[str] = []
    try:
        declared = ProfileFile.model_validate(document)
    except ValidationError as error:
        problems.extend(explain_validation_error(error, f"{where}/{PROFILE_FILE}", ProfileFile))
        rest = _without_unknown_fields(document, error)
        try:
            declared = ProfileFile.model_validate(rest)
        except ValidationError:
            raise ConfigurationError([*problems, *_missing_files(document, folder, where)]) from None
    problems.extend(inconsistencies(declared, folder, where))
    missing = problem_with(declared.router.embedding_model or "")
    if missing is not None:
        problems.append(f"{where}: router.embedding_model: {missing}")
    slots = _slots(declared, where, problems)
    ignore = ignore_of(declared.ignore, where, problems, agents=AGENTS)
    digest = hashlib.sha256(raw.encode())
    modules: list[Module] = []
    unreadable = False
    for number, module in enumerate(declared.modules):
        path = f"{where}: modules[{number}].file"
        try:
            text = read_inside(folder, module.file, path)
        except ConfigurationError as error:
            problems.extend(error.problems)
            unreadable = True
            continue
        digest.update(f"\0{module.id}\0".encode())
        digest.update(text.encode())
        parts = _parts(text, slots)
        if len(declared.modules) > 1 and not any(isinstance(part, str) and part.strip() for part in parts):
            problems.append(f"{path}: {module.file} has no text of its own; remove the module")
        modules.append(_module(module, parts, count_tokens))
    if not unreadable:
        problems.extend(_unused_slots(slots, modules, where))
    fitted = None
    if as_fitted and not problems:
        fitted = _as_declared(read_fitted(folder, where, modules), declared.router, where, problems)
    if problems:
        raise ConfigurationError(problems)
    profile = Profile(
        name=declared.profile,
        version=declared.version,
        digest=digest.hexdigest(),
        description=declared.description,
        reviewed=declared.reviewed,
        modules=tuple(modules),
        coverage_floor=declared.coverage_floor,
        cache_ttl=declared.cache_ttl,
        placement=None if declared.placement == "auto" else declared.placement,
        economics=_economics(declared),
        ignore=ignore,
        order={module.id: number for number, module in enumerate(modules)},
        fitted=fitted,
        embedding=_embedding(declared.router),
        routing_model=_routing_model(declared.router),
        router=NO_ROUTER if fitted is None else fit_digest(folder, declared.router.embedding_model),
        routing=routing_digest(modules),
    )
    return replace(profile, router=_with_routing_model(profile))


def _with_routing_model(profile: Profile) -> str:
    """The digest of what was fitted, and of which model is asked about which sections, described how."""
    asked = profile.routing_model
    if asked is None:
        return profile.router
    facts = [profile.router, asked.model, asked.hedge_model, SectionIndex(with_model_choosing(profile)).text]
    facts += [asked.lists] if asked.lists is not None else []
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:SHORT_DIGEST]


def _embedding(declared: RouterFile) -> EmbeddingSettings | None:
    if declared.embedding_model is None:
        return None
    return EmbeddingSettings(model=declared.embedding_model, timeout_seconds=declared.embedding_timeout)


def _routing_model(declared: RouterFile) -> RoutingModelSettings | None:
    if declared.model is None:
        return None
    return RoutingModelSettings(
        model=declared.model,
        hedge_model=declared.hedge_model,
        timeout_seconds=declared.model_timeout,
        budget_usd_per_hour=declared.model_budget_usd_per_hour,
        lists=declared.model_lists,
    )


def _as_declared(fitted: Fitted | None, declared: RouterFile, where: str, problems: list[str]) -> Fitted | None:
    """What was fitted, without vectors where the profile asks for none; vectors of another model are a problem.

    A cascade for another routing model than the profile's is left out: then that is asked about every task.
    """
    if fitted is not None and fitted.cascade is not None and fitted.cascade.model != declared.model:
        fitted = replace(fitted, cascade=None)
    if fitted is None or declared.embedding_model is None:
        return fitted and replace(fitted, semantics=None)
    if fitted.semantics is None or fitted.semantics.model != declared.embedding_model:
        found = "without it" if fitted.semantics is None else f"with {fitted.semantics.model!r}"
        problems.append(
            f"{where}: router.embedding_model: {declared.embedding_model!r}, but the profile was fitted {found}; "
            "run `prompt-router fit` again, or take the model out"
        )
    return fitted


def _economics(declared: ProfileFile) -> Economics | None:
    if declared.economics is None:
        return None
    return economics_as_stated(declared.economics, {module.id: n for n, module in enumerate(declared.modules)})


def economics_as_stated(stated: EconomicsFile, order: Mapping[str, int]) -> Economics:
    """The economics of a section; ``order``: module indexes by id. Raises KeyError for a module that isn't there."""
    bundles = tuple(frozenset(order[name] for name in bundle) for bundle in stated.bundles)
    conversations = stated.tuned_on.get("conversations")
    return Economics(
        is_tuned=stated.choice != "untuned",
        rewrites=stated.choice != "full",
        min_dropped=stated.min_dropped,
        bundles=bundles if stated.choice in ("bundles", "all") else None,
        read_share=stated.cache_read_share,
        write_share=stated.cache_write_share,
        profile_version=_tuned_on(stated, "profile_version"),
        router=_tuned_on(stated, "router"),
        routing=_tuned_on(stated, "routing"),
        conversations=conversations if isinstance(conversations, int) else None,
        use=None if stated.use is None else _use(stated.use, order.keys()),
    )


def _use(stated: UseFile, known: Iterable[str]) -> ObservedUse:
    chances = {module: stated.later_chances[module] for module in known if module in stated.later_chances}
    return ObservedUse(calls_per_message=stated.calls_per_message, later_chances=chances or None)


def _tuned_on(stated: EconomicsFile, name: str) -> str | None:
    value = stated.tuned_on.get(name)
    return None if value is None else str(value)


def _slots(declared: ProfileFile, where: str, problems: list[str]) -> dict[str, Slot]:
    """The slots that are in order; what is wrong with the others is added to ``problems``."""
    slots: dict[str, Slot] = {}
    for number, slot in enumerate(declared.slots):
        wrong = check_slot_pattern(slot.pattern, slot.sample)
        if wrong is not None:
            problems.append(f"{where}: slots[{number}].pattern: {wrong}")
            continue
        if len(slot.sample) > slot.max_chars:
            problems.append(f"{where}: slots[{number}].max_chars: less than the slot's own sample; raise it")
            continue
        slots[slot.name] = Slot(
            name=slot.name,
            pattern=compile_pattern(slot.pattern),
            sample=slot.sample,
            volatile=slot.volatile,
            max_chars=slot.max_chars,
        )
    return slots


def _module(declared: ModuleFile, parts: tuple[str | Slot, ...], count_tokens: Callable[[str], int]) -> Module:
    return Module(
        id=declared.id,
        title=declared.title,
        description=declared.description,
        when=declared.when,
        always=declared.always,
        optional=declared.optional,
        until_labelled=declared.until_labelled,
        requires=declared.requires,
        triggers=declared.triggers,
        examples=declared.examples,
        tools=declared.tools,
        parts=parts,
        tokens=sum(count_tokens(part) for part in parts if isinstance(part, str)),
    )


def _unused_slots(slots: dict[str, Slot], modules: Sequence[Module], where: str) -> Iterable[str]:
    """Slots that stand in no module file."""
    used = [part.name for module in modules for part in module.parts if isinstance(part, Slot)]
    for name in slots:
        if name not in used:
            yield f"{where}: slots: {name!r} is declared but no module file has {{{{{name}}}}}; add or remove it"


def _without_unknown_fields(document: object, error: ValidationError) -> object:
    """A copy of the document without the fields that nobody knows, so that the rest of it is checked too."""
    copied = copy.deepcopy(document)
    for item in error.errors(include_input=False, include_url=False):
        if item["type"] == "extra_forbidden":
            place: Any = copied
            for part in item["loc"][:-1]:
                place = place[part]
            del place[item["loc"][-1]]
    return copied


def _missing_files(document: object, folder: Path, where: str) -> Iterable[str]:
    """What is wrong with the module files of a document that isn't valid as a whole."""
    for number, name in named_files(document):
        try:
            read_inside(folder, name, f"{where}: modules[{number}].file")
        except ConfigurationError as error:
            yield from error.problems


def _parts(text: str, slots: dict[str, Slot]) -> tuple[str | Slot, ...]:
    if not slots:
        return (text,)
    pattern = re.compile("|".join(re.escape(f"{{{{{name}}}}}") for name in slots))
    parts: list[str | Slot] = []
    at = 0
    for match in pattern.finditer(text):
        parts.append(text[at : match.start()])
        parts.append(slots[match.group()[2:-2]])
        at = match.end()
    parts.append(text[at:])
    return tuple(part for part in parts if part)
