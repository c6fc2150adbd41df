"""Environment variables that override settings: ``<PREFIX><FIELD>`` and ``<PREFIX><SECTION>_<FIELD>``.

Two underscores between section and field mean the same, letters may be small, and a whole section may be given as a
JSON object, over which its fields' own variables stand. The environment is passed in; this process's is never read.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource

from litellm_prompt_router.documents.problems import nearest

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings

SettingPath = tuple[str, ...]
"""``("mode",)``, or ``("ledger", "path")``."""
_OF_KUBERNETES = re.compile(r"service_(?:host|port)(?:_\w+)?|port(?:_\d+_(?:tcp|udp|sctp)(?:_(?:proto|port|addr))?)?")
"""What it appends to a service's name (kubernetes.io, "Accessing the Service", checked 2026-11)."""
SURE_CUTOFF = 0.8
"""How like a section's field a name must be that doesn't begin with the section's: it may be somebody else's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EnvironmentOverrides:
    """Values by field, those of sections nested; problems, each under its variable's name."""

    values: Mapping[str, Any]
    problems: tuple[str, ...]
    variables: Mapping[SettingPath, str]

    def over(self, section: Mapping[str, Any]) -> dict[str, Any]:
        """The section with these values over its own, field by field."""
        merged = dict(section)
        for name, value in self.values.items():
            own = merged.get(name)
            merged[name] = {**own, **value} if isinstance(own, Mapping) and isinstance(value, Mapping) else value
        return merged

    def variable_at(self, location: tuple[int | str, ...]) -> str | None:
        """The variable that gave the value at this place of the merged settings; None where the section's own holds."""
        path = tuple(map(str, location[:2]))
        value = self.values.get(path[0]) if path else None
        if len(path) == 2 and isinstance(value, Mapping) and path[1] not in value:
            return None
        return self.variables.get(path) or self.variables.get(path[:1])


def overrides_in(
    environ: Mapping[str, str], model: type[BaseModel], prefix: str, others: frozenset[str]
) -> EnvironmentOverrides:
    """What ``environ`` says of the model's fields. An empty variable says nothing.

    ``others``: variables with this prefix that are no settings. A variable that resembles neither a setting nor one of
    them is somebody else's and no problem: Kubernetes names a service's variables by the service.
    """
    paths = dict(_paths_by_name(model))
    names_of_others = [other[len(prefix) :].lower() for other in others]
    variables: dict[SettingPath, str] = {}
    problems: list[str] = []
    for variable, text in sorted(environ.items()):
        if not text or not variable.upper().startswith(prefix) or variable.upper() in others:
            continue
        name = variable[len(prefix) :].lower()
        path = paths.get(name)
        if path is None:
            meant = [f"{prefix}{each}".upper() for each in _meant_by(name, text, model, names_of_others)]
            if len(meant) == 1:
                problems.append(f"{variable}: unknown setting; did you mean {meant[0]}?")
            elif meant:
                problems.append(f"{variable}: unknown setting; there are {', '.join(meant)}")
        elif path in variables and environ[variables[path]] != text:
            problems.append(f"{variable}: says something else than {variables[path]}; keep one")
        else:
            variables[path] = variable
    source = _MappingSource(model, {"__".join(path): environ[variable] for path, variable in variables.items()})
    values = source()
    problems.extend(
        f"{variables[name,]}: not a JSON object; set {prefix}{name.upper()}_<FIELD> instead" for name in source.not_json
    )
    return EnvironmentOverrides(values=values, problems=tuple(problems), variables=variables)


class _MappingSource(EnvSettingsSource):
    """pydantic-settings' reading of variables, from a mapping whose names are paths joined by ``__``."""

    def __init__(self, model: type[BaseModel], variables: Mapping[str, str]) -> None:
        self._variables = variables
        self.not_json: list[str] = []
        super().__init__(cast("type[BaseSettings]", model), env_prefix="", env_nested_delimiter="__")

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._variables

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """A section's JSON; the text of any other field, which reads it itself."""
        if _section_of(field) is None:
            return value
        try:
            decoded = super().decode_complex_value(field_name, field, value)
        except ValueError:
            decoded = None
        if decoded is None:
            self.not_json.append(field_name)
            return {}
        return decoded


def _section_of(field: FieldInfo) -> type[BaseModel] | None:
    """The model of a section; None for a field that is a value."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _paths_by_name(model: type[BaseModel]) -> Iterator[tuple[str, SettingPath]]:
    """Every field by the names, without prefix, of the variables that override it."""
    for name, field in model.model_fields.items():
        yield name, (name,)
        section = _section_of(field)
        for nested in section.model_fields if section is not None else ():
            yield f"{name}_{nested}", (name, nested)
            yield f"{name}__{nested}", (name, nested)


def _meant_by(name: str, text: str, model: type[BaseModel], others: Collection[str]) -> tuple[str, ...]:
    """The name that was probably meant by one that is no setting's; all names of the section that it begins with, where
    none is like it; nothing where it may be somebody else's.
    """
    sections = {each: kind for each, field in model.model_fields.items() if (kind := _section_of(field)) is not None}
    if text.lstrip().startswith("{"):
        near = nearest(name, sections)
        return (near,) if near is not None else ()
    for section in sections:
        if name.startswith(f"{section}_"):
            if _OF_KUBERNETES.fullmatch(name[len(section) + 1 :]):
                return ()
            return _fields_meant(section, name[len(section) + 1 :].lstrip("_"), sections[section])
    start, separator, rest = name.partition("__")
    near = nearest(start, sections) if separator else None
    if near is not None:
        return _fields_meant(near, rest, sections[near])
    values = [each for each in model.model_fields if each not in sections]
    nested = [f"{section}_{field}" for section, kind in sections.items() for field in kind.model_fields]
    near = nearest(name, [*values, *nested], SURE_CUTOFF) or nearest(name, [*values, *others])
    return (near,) if near is not None else ()


def _fields_meant(section: str, field: str, kind: type[BaseModel]) -> tuple[str, ...]:
    near = nearest(field, kind.model_fields)
    return tuple(f"{section}_{each}" for each in ([near] if near is not None else kind.model_fields))
