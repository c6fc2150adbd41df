"""Slot patterns: regular expressions in RE2's syntax, which take linear time on any value.

Values come from outside, and Python's own engine can be made to run for ever by one. What RE2 gives up for
that is back-references and look-around; its ``\\w``, ``\\d`` and ``\\b`` are ASCII, and ``\\pL`` and ``\\pN`` are
letters and digits of every script (github.com/google/re2/wiki/Syntax, checked 2026-11).
"""

from __future__ import annotations

import re2  # type: ignore[import-untyped]  # google-re2 ships no types

from litellm_prompt_router.profile.profile import ValuePattern


def compile_pattern(pattern: str) -> ValuePattern:
    """The pattern, ready to match. Raises ValueError saying what is wrong with it."""
    options = re2.Options()
    options.log_errors = False  # RE2 would write to stderr by itself
    try:
        compiled: ValuePattern = re2.compile(pattern, options=options)
    except re2.error as error:
        reason = error.args[0] if error.args else error
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(f"not a regular expression that RE2 takes: {text}") from None
    return compiled


def check_slot_pattern(pattern: str, sample: str) -> str | None:
    """What is wrong with a slot's pattern, or None: it must compile and match its sample from end to end."""
    try:
        compiled = compile_pattern(pattern)
    except ValueError as error:
        return str(error)
    if compiled.fullmatch(sample) is None:
        return "doesn't match the slot's own sample from end to end; fix one of them"
    return None
