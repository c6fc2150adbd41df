"""The report on a loaded profile: sizes, whether its own prompt is recognised, errors, warnings and notes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from litellm_prompt_router.authoring.check.lint import expected_token_reduction, lint
from litellm_prompt_router.authoring.check.sample_report import DEFAULT_FLOOR, PromptSample, SampleReport, check_samples
from litellm_prompt_router.profile.profile import Module, Profile
from litellm_prompt_router.request.recognise import Catalogue
from litellm_prompt_router.request.route import Router
from litellm_prompt_router.request.types import Turn

ENOUGH_EXAMPLES = 20
"""With this many, routing is learned from a module's examples; with fewer, triggers have to select each of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModuleReport:
    """One module. ``chars`` and ``tokens`` are of its literal text; ``token_share`` is of the whole prompt's."""

    id: str
    chars: int
    tokens: int
    token_share: float
    always: bool
    until_labelled: bool
    requires: tuple[str, ...]
    trigger_count: int
    example_count: int
    tools: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ProfileReport:
    """One profile. ``coverage``: the share of its own joined prompt that is recognised, 1 when all is well."""

    name: str
    version: str
    digest: str
    chars: int
    tokens: int
    core_tokens: int
    core_token_share: float
    coverage: float
    modules: tuple[ModuleReport, ...]
    warnings: tuple[str, ...]
    """Each ``profile: modules[n] id: what is wrong; what to do``."""
    errors: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """Findings that may be intended."""
    expected_token_reduction: float | None = None
    """The mean share of tokens that the examples don't need; None without examples."""
    sample: SampleReport | None = None
    reviewed: bool = True
    """False: it runs in shadow at most."""


def check_profiles(
    profiles: Sequence[Profile], samples: Sequence[PromptSample] = (), *, floor: float = DEFAULT_FLOOR
) -> tuple[ProfileReport, ...]:
    """A report for each profile, in the order given. They are recognised against each other.

    Samples count for the profile that they are recognised as; if there is only one, all count for it. ``floor``:
    the coverage below which the proxy passes a prompt through.
    """
    catalogue = Catalogue(profiles)
    reports = []
    for profile in profiles:
        own = samples if len(profiles) == 1 else [s for s in samples if _owner(catalogue, s) == profile.name]
        sample = check_samples(profile, catalogue, own, floor) if own else None
        reports.append(_report(profile, catalogue, sample))
    return tuple(reports)


def _owner(catalogue: Catalogue, sample: PromptSample) -> str | None:
    found = catalogue.recognise(sample.text)
    return None if found is None else found.profile.name


def _report(profile: Profile, catalogue: Catalogue, sample: SampleReport | None) -> ProfileReport:
    text = profile.text
    tokens = sum(module.tokens for module in profile.modules)
    core_tokens = sum(module.tokens for module in profile.modules if module.always)
    found = catalogue.recognise(text)
    is_own = found is not None and found.profile is profile
    coverage = found.coverage if found is not None and is_own else 0.0
    warnings: list[str] = []
    if found is not None and not is_own:
        warnings.append(f"{profile.name}: its prompt is taken for profile {found.profile.name!r}; tell them apart")
    elif coverage < 1:
        warnings.append(f"{profile.name}: {1 - coverage:.1%} of its prompt is not recognised; check its slots")
    router = Router(profile)
    for number, module in enumerate(profile.modules):
        warnings.extend(_warnings(profile, f"{profile.name}: modules[{number}] {module.id}", module, router))
    findings = lint(profile)
    warnings.extend(findings.warnings)
    return ProfileReport(
        name=profile.name,
        version=profile.version,
        digest=profile.digest,
        chars=len(text),
        tokens=tokens,
        core_tokens=core_tokens,
        core_token_share=_share(core_tokens, tokens),
        coverage=coverage,
        modules=tuple(_module(module, tokens) for module in profile.modules),
        warnings=(*warnings, *(sample.warnings if sample else ())),
        errors=sample.errors if sample else (),
        notes=findings.notes,
        expected_token_reduction=expected_token_reduction(profile),
        sample=sample,
        reviewed=profile.reviewed,
    )


def _module(module: Module, profile_tokens: int) -> ModuleReport:
    return ModuleReport(
        id=module.id,
        chars=sum(len(part) for part in module.parts if isinstance(part, str)),
        tokens=module.tokens,
        token_share=_share(module.tokens, profile_tokens),
        always=module.always,
        until_labelled=module.until_labelled,
        requires=module.requires,
        trigger_count=len(module.triggers),
        example_count=len(module.examples),
        tools=module.tools,
    )


def _warnings(profile: Profile, where: str, module: Module, router: Router) -> Iterable[str]:
    if module.always:
        return
    required = any(module.id in other.requires for other in profile.modules if other is not module)
    if profile.routing_model is not None:
        return
    if not (module.triggers or module.tools or required):
        yield f"{where}: nothing but a fallback selects it; add triggers or tools"
    if len(module.examples) >= ENOUGH_EXAMPLES:
        return
    yield f"{where}: {len(module.examples)} examples; write at least {ENOUGH_EXAMPLES}, or see `prompt-router examples`"
    for index, example in enumerate(module.examples):
        decision = router.decide((Turn(role="user", text=example),))
        kinds = {evidence.module: evidence.kind for evidence in decision.selected}
        if kinds.get(module.id, "fallback") == "fallback":
            yield f"{where}: examples[{index}] doesn't select it: {example!r}; add a trigger or move the example"


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
