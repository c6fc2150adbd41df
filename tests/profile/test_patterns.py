"""Slot patterns: what is accepted always ends, and soon."""

from __future__ import annotations

import subprocess
import sys

import pytest

from litellm_prompt_router.profile.patterns import check_slot_pattern

SECONDS = 5

GOOD = {
    "date": (r"\d{4}-\d{2}-\d{2}", "2026-11-22"),
    "sentence": (r"Today is [A-Z][a-z]+, \d{1,2} [A-Z][a-z]+ \d{4}\.", "Today is Sunday, 22 November 2026."),
    "address": (r"(?:\d{1,3}\.){3}\d{1,3}", "10.0.0.1"),
    "UUID": (r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "123e4567-e89b-12d3-a456-426614174000"),
    "block": (r"<files>\n[^<]*</files>", "<files>\na\n</files>"),
    "anything": (r"[\s\S]*", "any\nthing"),
    "alternatives": (r"(?:on|off|unknown)", "off"),
    "optional end": (r"v\d+(?:-beta)?", "v2-beta"),
    "flags": (r"(?i:yes|no)", "YES"),
    "lazy": (r"\[.*?\]", "[x]"),
}


@pytest.mark.parametrize(("pattern", "sample"), GOOD.values(), ids=GOOD.keys())
def test_useful_patterns_are_accepted(pattern: str, sample: str) -> None:
    assert check_slot_pattern(pattern, sample) is None


RE2 = "not a regular expression that RE2 takes: "
MISMATCH = "doesn't match the slot's own sample from end to end; fix one of them"
BAD: dict[str, tuple[str, str, str]] = {
    "back-reference": (r"(a)\1", "aa", rf"{RE2}invalid escape sequence: \1"),
    "named back-reference": (r"(?P<x>a)(?P=x)", "aa", f"{RE2}invalid perl operator: (?P"),
    "conditional": (r"(a)?(?(1)b|c)", "ab", f"{RE2}invalid perl operator: (?("),
    "look-ahead": (r"a(?=b)b", "ab", f"{RE2}invalid perl operator: (?="),
    "negative look-behind": (r"(?<!b)a", "a", f"{RE2}invalid perl operator: (?<!"),
    "repeated too often": (r"a{2000}", "a", f"{RE2}invalid repetition size: {{2000}}"),
    "sample doesn't match": (r"\d+", "x", MISMATCH),
    "sample matches in part": (r"\d+", "12x", MISMATCH),
    "unbalanced": ("(a", "a", f"{RE2}missing ): (a"),
    "nothing to repeat": ("*", "a", f"{RE2}no argument for repetition operator: *"),
}


@pytest.mark.parametrize(("pattern", "sample", "problem"), BAD.values(), ids=BAD.keys())
def test_bad_patterns_say_why(pattern: str, sample: str, problem: str) -> None:
    assert check_slot_pattern(pattern, sample) == problem


def test_letters_and_digits_of_any_script() -> None:
    """RE2's ``\\w`` is ASCII; letters of any script have names of their own."""
    assert check_slot_pattern(r"[\pL\pN ]+", "Größe 7 数据") is None
    assert check_slot_pattern(r"\w+", "Größe") == MISMATCH


HOSTILE: dict[str, tuple[str, str, str]] = {
    "nested repeat": (r"(?:a+)+b", "b", "'a' * 50_000"),
    "optional letters": (r"(?:a?){30}a{30}", "a" * 30, "'a' * 30"),
    "counted in counted": (r"(?:\w{1,64}){1,16}x", "ax", "'a' * 64"),
    "counted in counted, from nothing": (r"(?:a{0,64}){16}b", "b", "'a' * 64"),
    "alternatives that overlap": (r"(?:a.|.b)*c", "abc", "'ab' * 40 + 'd'"),
    "alternatives of one meaning": (r"(?:ab|a[b])*c", "abc", "'ab' * 40 + 'd'"),
    "optional parts repeated": (r"(?:a?b?)*c", "c", "'ab' * 40 + 'd'"),
    "optional space repeated": (r"(?:\s?\w?)*;", "x;", "'x ' * 40"),
    "neighbours": (r"\s*\s*\s*\s*x", "x", "' ' * 3000"),
    "lists": (r"[\s\S]*,[\s\S]*,[\s\S]*,[\s\S]*;", ",,,;", "',' * 3000"),
    "any around": (r".*.*.*=.*", "a=b", "'a' * 5000"),
    "a long plain one": (r"[^<]*>", ">", "'a' * 50000"),
}


@pytest.mark.parametrize(("pattern", "sample", "value"), HOSTILE.values(), ids=HOSTILE.keys())
def test_accepted_patterns_end_on_any_value(pattern: str, sample: str, value: str) -> None:
    """Slot values come from outside: a pattern is refused, or it answers soon whatever it meets."""
    if check_slot_pattern(pattern, sample) is None:
        imports = "from litellm_prompt_router.profile.patterns import compile_pattern"
        script = f"{imports}; compile_pattern({pattern!r}).fullmatch({value})"
        try:
            subprocess.run([sys.executable, "-c", script], timeout=SECONDS, check=True)
        except subprocess.TimeoutExpired:
            pytest.fail(f"accepted, and still busy with {value} after {SECONDS} seconds")
