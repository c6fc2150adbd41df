"""Configuration problems as people read them: where, what, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable

from pydantic import BaseModel, ValidationError

Location = tuple[int | str, ...]
NEAR_CUTOFF = 0.6
"""Difflib's own: how like each other two names must be for one to be suggested for the other."""


def explain_validation_error(error: ValidationError, where: str, model: type[BaseModel]) -> Iterable[str]:
    """One line for each problem of a validation: ``where: path: what is wrong; what to do``. Never the value."""
    return (f"{where}: {path}: {problem}" for _, path, problem in located_problems(error, model))


def located_problems(error: ValidationError, model: type[BaseModel]) -> Iterable[tuple[Location, str, str]]:
    """``(location, the same as a path, what is wrong; what to do)`` for each problem of a validation."""
    for item in error.errors(include_input=False, include_url=False):
        location = item["loc"]
        if item["type"] == "extra_forbidden":
            known = _fields_at(model, location[:-1])
            problem = f"unknown field; {suggestion(str(location[-1]), known, 'known fields:')}"
        else:
            problem = "missing; add it" if item["type"] == "missing" else _lowered(item["msg"])
        yield location, _path(location), problem


def suggestion(name: str, known: Collection[str], otherwise: str) -> str:
    """The one that was probably meant; else all there are, behind ``otherwise``."""
    near = nearest(name, known)
    return f"did you mean {near!r}?" if near else f"{otherwise} {', '.join(sorted(known)) or 'none'}"


def nearest(name: str, known: Collection[str], cutoff: float = NEAR_CUTOFF) -> str | None:
    """The known name that is most like this one, if any is: the same in the other number first."""
    other_number = name[:-1] if name.endswith("s") else f"{name}s"
    if other_number in known:
        return other_number
    return next(iter(difflib.get_close_matches(name, known, n=1, cutoff=cutoff)), None)


def _fields_at(model: type[BaseModel], location: Location) -> tuple[str, ...]:
    """The fields of the model that stands at this place."""
    for part in location:
        info = model.model_fields.get(str(part))
        nested = [] if info is None else [info.annotation, *getattr(info.annotation, "__args__", ())]
        model = next((n for n in nested if isinstance(n, type) and issubclass(n, BaseModel)), model)
    return tuple(model.model_fields)


def _path(location: Location) -> str:
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path or "(top level)"


def _lowered(message: str) -> str:
    message = message.removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def reject_boolean(value: object) -> object:
    """YAML reads ``yes`` and ``on`` as true, which would pass for the number 1."""
    if isinstance(value, bool):
        raise ValueError("must be a number")
    return value


def accept_bare_off(value: object) -> object:
    """YAML reads a bare ``off`` as false; nobody who writes it means anything else."""
    return "off" if value is False else value
