"""What was looked at, and how it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One line. ``todo``: what to do about it; None where nothing is to do. Never a key, a DSN or a prompt."""

    check: str
    level: Level
    text: str
    todo: str | None = None


def ok(check: str, text: str) -> Finding:
    return Finding(check=check, level="ok", text=text)


def warn(check: str, text: str, todo: str) -> Finding:
    return Finding(check=check, level="warn", text=text, todo=todo)


def fail(check: str, text: str, todo: str) -> Finding:
    return Finding(check=check, level="fail", text=text, todo=todo)
