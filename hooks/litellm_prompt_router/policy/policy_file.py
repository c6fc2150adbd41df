"""The policy file: rules in order, the first that matches counts.

    stop: false
    rules:
      - name: pilot
        keys: ["alpha", "team-a-*"]
        models: ["claude-*"]
        mode: rewrite
        percent: 10
    defaults:
      mode: shadow
    tuning: {workbench: pinned}

A rule matches when each of its lists has something of the request in it. ``*`` and ``?`` stand for any text and any
character in all lists but ``key_hashes`` and ``profiles``. Whatever a rule doesn't set is left to key metadata, team
metadata, ``defaults`` and settings, in this order.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any, Literal, get_args

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.documents.parsing import parse_yaml
from litellm_prompt_router.documents.problems import accept_bare_off, explain_validation_error, suggestion
from litellm_prompt_router.policy.decide import FIELDS, PlacementChoice, PolicyLayer

MAX_POLICY_BYTES = 256_000
"""Some thousand rules. Parsing so much YAML takes a second, which is spent in the watcher's thread."""
MAX_SUBJECTS = 4_096
MATCHERS = ("keys", "key_hashes", "teams", "users", "models", "profiles", "tags")


def _zoned_moment(value: object) -> object:
    """A moment as YAML or a person writes it. Raises ValueError for a bare date or a number."""
    if isinstance(value, datetime) or (isinstance(value, str) and "T" in value):
        return value
    raise ValueError("must be a moment with its zone, as in 2026-12-24T18:00:00+01:00")


def _reject_bare_text(value: object) -> object:
    """The value, which has to be a list. Raises ValueError for a text, which would pass for a list of letters."""
    if isinstance(value, str):
        raise ValueError("must be a list, as in [name]")
    return value


_Name = Annotated[str, Field(min_length=1, max_length=256)]
_Names = Annotated[tuple[_Name, ...], Field(min_length=1, max_length=10_000), BeforeValidator(_reject_bare_text)]
_Hashes = Annotated[
    tuple[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")], ...],
    Field(min_length=1),
    BeforeValidator(_reject_bare_text),
]


class Choices(BaseModel):
    """What a rule or ``defaults`` sets. ``percent`` of conversations get it; ``holdout`` is a share of those.

    ``router_model``: whether the routing model that a profile names is asked about their messages.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Annotated[Literal["rewrite", "shadow", "off"] | None, BeforeValidator(accept_bare_off)] = None
    profile: _Name | None = None
    percent: Annotated[float, Field(strict=True, ge=0, le=100, allow_inf_nan=False)] | None = None
    placement: PlacementChoice | None = None
    holdout: Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)] | None = None
    router_model: Annotated[bool, Field(strict=True)] | None = None


TuningChoice = Literal["on", "pinned", "off"]
TUNING_WORDS = "must be on, pinned or off, or one of these for each profile: {NAME: pinned}"


def _tuning_words(value: object) -> object:
    """One word or one for each profile, YAML's true and false as the words ``on`` and ``off`` that stood there.

    Raises ValueError for others, because pydantic would name the types that it tried.
    """
    if not isinstance(value, dict):
        word = _bare_word(value)
        if word not in get_args(TuningChoice):
            raise ValueError(TUNING_WORDS)
        return word
    words = {name: _bare_word(each) for name, each in value.items()}
    wrong = [
        str(name) for name, word in words.items() if not isinstance(name, str) or word not in get_args(TuningChoice)
    ]
    if wrong:
        raise ValueError(f"{TUNING_WORDS}; it isn't for {', '.join(wrong)}")
    return words


def _bare_word(value: object) -> object:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


class RuleEntry(Choices):
    """``rules[]``. ``name`` is for records and people; without one a rule goes by its number."""

    name: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    keys: _Names | None = None
    key_hashes: _Hashes | None = None
    teams: _Names | None = None
    users: _Names | None = None
    models: _Names | None = None
    profiles: _Names | None = None
    tags: _Names | None = None
    until: Annotated[AwareDatetime, BeforeValidator(_zoned_moment)] | None = None

    @model_validator(mode="after")
    def _check_matches_and_sets(self) -> RuleEntry:
        if all(getattr(self, name) is None for name in MATCHERS):
            other = " (`profile` sets, `profiles` match)" if self.profile is not None else ""
            raise ValueError(f"matches everyone{other}; add one of {', '.join(MATCHERS)}, or write it under `defaults`")
        if all(getattr(self, name) is None for name in FIELDS):
            raise ValueError(f"sets nothing; add one of {', '.join(FIELDS)}")
        if self.profiles is not None and self.profile is not None:
            raise ValueError("has `profiles`, which match, and `profile`, which sets; keep one")
        return self


class PolicyDocument(BaseModel):
    """policy.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stop: Annotated[bool, Field(strict=True)] = False
    rules: Annotated[tuple[RuleEntry, ...], Field(max_length=5_000)] = ()
    defaults: Choices = Choices()
    tuning: Annotated[TuningChoice | dict[_Name, TuningChoice], BeforeValidator(_tuning_words)] = "on"
    """Of the tuning that goes on by itself, for all profiles or by profile: ``pinned`` keeps what is in force, ``off``
    goes back to what profile.yaml says, both for conversations that begin from then on."""


# Rules that are ready to match


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """What rules match a request by. All but the model group is the proxy's own word, not the client's."""

    key_alias: str | None = None
    key_hash: str | None = None
    team_id: str | None = None
    user_id: str | None = None
    model_group: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyRule:
    """A rule that is ready to match. ``label`` is its name in records."""

    label: str
    entry: RuleEntry
    layer: PolicyLayer
    patterns: tuple[tuple[str, re.Pattern[str]], ...]

    @property
    def profiles(self) -> tuple[str, ...] | None:
        return self.entry.profiles

    def matches(self, subject: Subject) -> bool:
        """True when everything but ``profiles`` and ``until`` matches."""
        hashes = self.entry.key_hashes
        if hashes is not None and subject.key_hash not in hashes:
            return False
        return all(_matches(pattern, getattr(subject, attribute)) for attribute, pattern in self.patterns)

    def is_expired(self, now_seconds: float) -> bool:
        return self.entry.until is not None and self.entry.until.timestamp() <= now_seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class FilePolicy:
    """A policy file's rules. Immutable but for its memory of which rules match which subjects."""

    stop: bool
    rules: tuple[PolicyRule, ...]
    defaults: PolicyLayer
    digest: str | None = None
    """SHA-256 of the text it was read from; None without a file."""
    tuning: TuningChoice | Mapping[str, TuningChoice] = "on"
    _matching: dict[Subject, tuple[PolicyRule, ...]] = field(default_factory=dict, compare=False, repr=False)

    def tuning_of(self, profile: str) -> TuningChoice:
        """Whether a profile is tuned by itself, as long as settings say so at all."""
        return self.tuning if isinstance(self.tuning, str) else self.tuning.get(profile, "on")

    def candidates(self, subject: Subject, now_seconds: float) -> tuple[PolicyRule, ...]:
        """The rules that may decide, in order: a rule with ``profiles`` only if the prompt is of one of them, and none
        behind the first without.
        """
        matching = self._matching.get(subject)
        if matching is None:
            if len(self._matching) >= MAX_SUBJECTS:
                self._matching.clear()
            matching = self._matching[subject] = tuple(rule for rule in self.rules if rule.matches(subject))
        found: list[PolicyRule] = []
        for rule in matching:
            if not rule.is_expired(now_seconds):
                found.append(rule)
                if rule.profiles is None:
                    break
        return tuple(found)


DEFAULTS = "policy defaults"
EMPTY_POLICY = FilePolicy(stop=False, rules=(), defaults=PolicyLayer(source=DEFAULTS))


class BrokenPolicyError(ConfigurationError):
    """The problems of a policy file. ``stop``: its kill switch can be read all the same, and is on."""

    def __init__(self, problems: Iterable[str], *, stop: bool = False) -> None:
        super().__init__(problems)
        self.stop = stop


def parse_policy(raw: str, where: str, known_profiles: Sequence[str] | None) -> FilePolicy:
    """The policy in a file's text. Raises BrokenPolicyError with every problem.

    ``known_profiles``: the profiles that rules may name; None leaves names unchecked.
    """
    try:
        document = parse_yaml(raw, where)
    except ConfigurationError as error:
        raise BrokenPolicyError(error.problems) from None
    digest = sha256(raw.encode("utf-8", "surrogatepass")).hexdigest()
    if document is None:
        return replace(EMPTY_POLICY, digest=digest)
    stop = isinstance(document, dict) and document.get("stop") is True
    try:
        declared = PolicyDocument.model_validate(document)
    except ValidationError as error:
        raise BrokenPolicyError(explain_validation_error(error, where, PolicyDocument), stop=stop) from None
    problems = list(_unknown_profiles(declared, where, known_profiles)) if known_profiles is not None else []
    if problems:
        raise BrokenPolicyError(problems, stop=stop)
    rules = tuple(_rule(number, entry) for number, entry in enumerate(declared.rules, 1))
    return FilePolicy(
        stop=declared.stop,
        rules=rules,
        defaults=_layer(DEFAULTS, declared.defaults),
        digest=digest,
        tuning=declared.tuning,
    )


def _unknown_profiles(declared: PolicyDocument, where: str, known: Sequence[str]) -> Iterable[str]:
    named: list[tuple[str, str | None]] = [("defaults.profile", declared.defaults.profile)]
    for number, entry in enumerate(declared.rules):
        named.append((f"rules[{number}].profile", entry.profile))
        named += [(f"rules[{number}].profiles[{index}]", name) for index, name in enumerate(entry.profiles or ())]
    named += [(f"tuning.{name}", name) for name in (declared.tuning if isinstance(declared.tuning, dict) else ())]
    for path, name in named:
        if name is not None and name not in known:
            yield f"{where}: {path}: unknown profile {name!r}; {suggestion(name, known, 'there are')}"


_ATTRIBUTES = {"keys": "key_alias", "teams": "team_id", "users": "user_id", "models": "model_group", "tags": "tags"}


def _rule(number: int, entry: RuleEntry) -> PolicyRule:
    patterns = [(attribute, getattr(entry, name)) for name, attribute in _ATTRIBUTES.items()]
    label = f"rule {number}" if entry.name is None else f"rule {number} ({entry.name})"
    return PolicyRule(
        label=label,
        entry=entry,
        layer=_layer(label, entry),
        patterns=tuple((attribute, _pattern(names)) for attribute, names in patterns if names is not None),
    )


def _layer(source: str, choices: Choices) -> PolicyLayer:
    return PolicyLayer(source=source, **{name: getattr(choices, name) for name in FIELDS})


def _pattern(names: Sequence[str]) -> re.Pattern[str]:
    """One pattern for all of them. ``fnmatch`` makes its stars atomic, so none can run away (CPython 3.11)."""
    return re.compile("|".join(fnmatch.translate(name.replace("[", "[[]")) for name in names))


def _matches(pattern: re.Pattern[str], value: Any) -> bool:
    if isinstance(value, tuple):
        return any(pattern.match(item) is not None for item in value)
    return value is not None and pattern.match(value) is not None
