"""Single fields of a profile.yaml set or taken out, with its comments, order and quotes as they are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from litellm_prompt_router.files.profile_text import comments_of, round_trip

BEFORE_FIELDS = ("requires", "triggers", "examples", "tools")
"""A field that a module doesn't have yet goes ahead of the first of these."""


def with_field(raw: str, name: str, value: bool) -> str:
    """The document with another value of this top-level field. Raises ValueError where more than that would change."""
    value_of_field = re.compile(rf"^({re.escape(name)}[ \t]*:[ \t]*)[^\s#]+", re.MULTILINE)
    changed = value_of_field.sub(lambda match: f"{match[1]}{str(value).lower()}", raw, count=1)
    return _checked(raw, changed, {**yaml.safe_load(raw), name: value})


def with_module_fields(raw: str, wanted: Mapping[str, Mapping[str, Any]]) -> str:
    """The document with these fields in modules, by their id; None takes a field out.

    Raises ValueError where more than that would change.
    """
    expected = yaml.safe_load(raw)
    for entry in expected["modules"]:
        _set(entry, wanted.get(entry["id"], {}))

    def change(document: Any) -> None:
        for entry in document["modules"]:
            _set(entry, wanted.get(entry["id"], {}))

    return _checked(raw, round_trip(raw, change), expected)


def _set(entry: Any, fields: Mapping[str, Any]) -> None:
    for name, value in fields.items():
        if value is None:
            entry.pop(name, None)
        elif name in entry or not hasattr(entry, "insert"):
            entry[name] = value
        else:
            keys = list(entry)
            entry.insert(next((at for at, key in enumerate(keys) if key in BEFORE_FIELDS), len(keys)), name, value)


def _checked(raw: str, changed: str, expected: Any) -> str:
    if comments_of(raw) - comments_of(changed) or yaml.safe_load(changed) != expected:
        raise ValueError("can't be changed without a loss")
    return changed
