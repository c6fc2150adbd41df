"""profile.yaml: its fields, and what is wrong with names in it that don't match, are missing or repeated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from litellm_prompt_router.profile.fitted import ModelLists
from litellm_prompt_router.profile.ignore_rules import IgnoreRules
from litellm_prompt_router.request.route.triggers import check_trigger

PROFILE_FILE = "profile.yaml"
REVIEW_FILE = "REVIEW.md"
"""What an owner has to look at, as `split` and `update` found it."""
MAX_SLOT_CHARS = 50_000
EMBEDDING_TIMEOUT_SECONDS = 0.3
MODEL_TIMEOUT_SECONDS = 1.5

_ID = r"^[\w.-]+(/[\w.-]+)*$"
_NAME = r"^[\w.-]+$"
_Text = Annotated[str, Field(min_length=1)]


def review_sheet_in(folder: Path) -> str | None:
    """The path of a profile folder's review sheet; None where it has none."""
    path = folder / REVIEW_FILE
    return str(path) if path.is_file() else None


class _StrictProfile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SlotFile(_StrictProfile):
    """``slots[]`` of profile.yaml."""

    name: Annotated[str, Field(pattern=_NAME)]
    pattern: _Text
    sample: str
    description: str = ""
    volatile: bool = False
    max_chars: Annotated[int, Field(gt=0, le=1_000_000)] = MAX_SLOT_CHARS


class ModuleFile(_StrictProfile):
    """``modules[]`` of profile.yaml. ``optional``: a person lets it be left out where nothing asks for it."""

    id: Annotated[str, Field(pattern=_ID)]
    file: _Text
    title: _Text
    description: str = ""
    when: str = ""
    """One line for the routing model: when a request needs it."""
    always: bool = False
    until_labelled: bool = False
    """Goes with ``always``, which it has only for want of evidence: labels may take it out of the core."""
    optional: bool = False
    evidence: str = ""
    """What shows that it isn't always needed; for people."""
    requires: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()


class UseFile(_StrictProfile):
    """``use`` of ``economics``: how conversations use the profile, as a ledger showed it."""

    calls_per_message: Annotated[float, Field(ge=1, allow_inf_nan=False)] | None = None
    later_chances: dict[str, Annotated[float, Field(ge=0, le=1)]] = {}
    """By module id; of modules that are gone nothing is said any more."""


class EconomicsFile(_StrictProfile):
    """``economics`` of profile.yaml, as ``tune`` and ``simulate --tune`` write it.

    ``untuned``: there is only ``use``, by which the untuned rule goes.
    """

    choice: Literal["exact", "bundles", "all", "full", "untuned"]
    min_dropped: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    bundles: tuple[tuple[str, ...], ...] = ()
    cache_read_share: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    cache_write_share: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    use: UseFile | None = None
    tuned_on: dict[str, str | int | float] = {}
    """The traffic and the figures that led to it, for people.

    ``profile_version``, ``router`` (``none`` or a digest of the fit) and ``routing`` (a digest of the modules and their
    metadata) are more: where one is stated and differs from what is there now, the tuning doesn't hold.
    """


class RouterFile(_StrictProfile):
    """``router`` of profile.yaml. ``embedding_timeout``: seconds that a request waits for its messages' vectors."""

    embedding_model: _Text | None = None
    embedding_timeout: Annotated[float, Field(gt=0, le=10)] = EMBEDDING_TIMEOUT_SECONDS
    model: _Text | None = None
    """The routing model; ``model_timeout``: seconds that a request waits for its answer."""
    hedge_model: _Text | None = None
    model_timeout: Annotated[float, Field(gt=0, le=30)] = MODEL_TIMEOUT_SECONDS
    model_budget_usd_per_hour: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    model_lists: ModelLists | None = None


class ProfileFile(_StrictProfile):
    """profile.yaml."""

    profile: Annotated[str, Field(pattern=_NAME)]
    version: _Text
    description: str = ""
    reviewed: bool = True
    """False in drafts: nothing is left out on the wire until a person has looked at it."""
    coverage_floor: Annotated[float, Field(ge=0, le=1)] | None = None
    cache_ttl: Literal["5m", "1h"] = "5m"
    placement: Literal["auto", "append", "grow", "latest"] = "auto"
    economics: EconomicsFile | None = None
    router: RouterFile = RouterFile()
    ignore: IgnoreRules = ()
    slots: tuple[SlotFile, ...] = ()
    modules: Annotated[tuple[ModuleFile, ...], Field(min_length=1)]


def named_files(document: object) -> Iterable[tuple[int, str]]:
    """``(number of the module, its file)`` in a document that may not be valid as a whole."""
    modules = document.get("modules") if isinstance(document, dict) else None
    for number, module in enumerate(modules if isinstance(modules, list) else ()):
        name = module.get("file") if isinstance(module, dict) else None
        if isinstance(name, str) and name:
            yield number, name


def inconsistencies(declared: ProfileFile, folder: Path, where: str) -> Iterable[str]:
    """What is wrong with a profile.yaml whose fields are each in order: its path and what to do."""
    if declared.profile != folder.name:
        yield f"{where}: profile: is {declared.profile!r} but the folder is {folder.name!r}; make them the same"
    ids = [module.id for module in declared.modules]
    yield from _repeated(ids, f"{where}: modules", "id")
    yield from _repeated([module.file for module in declared.modules], f"{where}: modules", "file")
    yield from _repeated([slot.name for slot in declared.slots], f"{where}: slots", "name")
    yield from _repeated([t for module in declared.modules for t in module.tools], f"{where}: modules", "tool")
    yield from _wrong_bundles(declared, where)
    yield from _without_routing_model(declared.router, where)
    for number, module in enumerate(declared.modules):
        path = f"{where}: modules[{number}]"
        if module.always and module.optional:
            yield f"{path}: always and optional exclude each other; keep one"
        if module.until_labelled and not module.always:
            yield f"{path}: until_labelled goes with `always: true`; add that, or remove until_labelled"
        for index, needed in enumerate(module.requires):
            if needed not in ids:
                yield f"{path}.requires[{index}]: unknown module {needed!r}"
            elif needed == module.id:
                yield f"{path}.requires[{index}]: a module can't require itself; remove it"
        for index, trigger in enumerate(module.triggers):
            wrong = check_trigger(trigger)
            if wrong is not None:
                yield f"{path}.triggers[{index}]: {wrong}"


def _without_routing_model(router: RouterFile, where: str) -> Iterable[str]:
    """What is said of a routing model that isn't named."""
    if router.model is None:
        of_model = {"hedge_model", "model_timeout", "model_budget_usd_per_hour", "model_lists"}
        for name in sorted(router.model_fields_set & of_model):
            yield f"{where}: router.{name}: goes with `router.model`; name the routing model, or remove it"
    elif router.hedge_model == router.model:
        yield f"{where}: router.hedge_model: is the routing model itself; name another, or remove it"


def _wrong_bundles(declared: ProfileFile, where: str) -> Iterable[str]:
    stated = declared.economics
    if stated is None:
        return
    if bool(stated.bundles) != (stated.choice == "bundles"):
        yield f"{where}: economics.bundles: go with the choice 'bundles' and no other; tune the profile again"
    is_asked = declared.router.model is not None
    always = {m.id: m.always and not (is_asked and m.until_labelled) for m in declared.modules}
    for number, bundle in enumerate(stated.bundles):
        for index, name in enumerate(bundle):
            at = f"{where}: economics.bundles[{number}][{index}]"
            if name not in always:
                yield f"{at}: unknown module {name!r}; tune the profile again"
            elif always[name]:
                yield f"{at}: {name!r} is always sent; remove it"


def _repeated(names: Sequence[str], path: str, what: str) -> Iterable[str]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield f"{path}: {what} {name!r} is there twice; keep one"
        seen.add(name)
