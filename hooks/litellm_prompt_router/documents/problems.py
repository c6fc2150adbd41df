"""Configuration problems as people read them: where, what, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable

from pydantic import BaseModel, ValidationError


def explain_validation_error(error: ValidationError, where: str, model: type[BaseModel]) -> Iterable[str]:
    """One line for each problem of a validation: ``where: path: what is wrong; what to do``. Never the value."""
    for item in error.errors(include_input=False, include_url=False):
        path = _path(item["loc"])
        if item["type"] == "extra_forbidden":
            known = _fields_at(model, item["loc"][:-1])
            yield f"{where}: {path}: unknown field; {suggestion(str(item['loc'][-1]), known, 'known fields:')}"
        elif item["type"] == "missing":
            yield f"{where}: {path}: missing; add it"
        else:
            yield f"{where}: {path}: {_lowered(item['msg'])}"


def suggestion(name: str, known: Collection[str], otherwise: str) -> str:
    """The one that was probably meant; else all there are, behind ``otherwise``."""
    near = nearest(name, known)
    return f"did you mean {near!r}?" if near else f"{otherwise} {', '.join(sorted(known)) or 'none'}"


def nearest(name: str, known: Collection[str]) -> str | None:
    """The known name that is most like this one, if any is: the same in the other number first."""
    other_number = name[:-1] if name.endswith("s") else f"{name}s"
    if other_number in known:
        return other_number
    return next(iter(difflib.get_close_matches(name, known, n=1)), None)


def _fields_at(model: type[BaseModel], loc: Iterable[int | str]) -> tuple[str, ...]:
    """The fields of the model that stands at this place."""
    for part in loc:
        info = model.model_fields.get(str(part))
        nested = [] if info is None else [info.annotation, *getattr(info.annotation, "__args__", ())]
        model = next((n for n in nested if isinstance(n, type) and issubclass(n, BaseModel)), model)
    return tuple(model.model_fields)


def _path(loc: Iterable[int | str]) -> str:
    path = ""
    for part in loc:
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
