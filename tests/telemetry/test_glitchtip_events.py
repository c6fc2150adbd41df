"""The bodies of events, before any of Sentry's SDK sees them."""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import replace
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

import orjson
import pytest

from litellm_prompt_router.record.record import Record
from litellm_prompt_router.telemetry.glitchtip_events import (
    is_sampled,
    json_of,
    plain,
    request_bodies,
    size_bucket,
    tag_text,
)
from tests.telemetry.records import passthrough, record


def request_events(made: Record) -> list[dict[str, Any]]:
    return [json.loads(body) for _, body in request_bodies(made)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (7, 7),
        (0.5, 0.5),
        (float("nan"), None),
        (float("-inf"), None),
        (Decimal("1E-7"), "0.0000001"),
        ("a\x00b", "ab"),
        ("a\ud800b\udfff", "ab"),
        ("\U0001f600", "\U0001f600"),
        ((1, "\x00"), [1, ""]),
        (frozenset({"b", "a"}), ["a", "b"]),
        (OrderedDict({1: {"\x00k": Decimal("2.50")}}), {"1": {"k": "2.50"}}),
        ("x" * 3000, "x" * 2000),
        (Path("/somewhere"), "<PosixPath>"),
        (b"bytes", "<bytes>"),
    ],
)
def test_everything_becomes_plain_json(value: object, expected: object) -> None:
    """Nothing is left that GlitchTip would drop, with or without a word."""
    assert plain(value) == expected
    assert type(plain(value)) is type(expected)


@pytest.mark.parametrize("letter", ["x", "\u00fc", '"', "\\"])
def test_json_is_cut_as_plain_values_are(letter: str) -> None:
    """Wherever in an event a long text is."""
    for chars, ahead in product((998, 1_000, 1_999, 2_000, 2_001, 2_999, 3_000, 9_000), (0, 1, 500, 999, 1_000, 1_001)):
        event = {"ahead": "a" * ahead, "b": [letter * chars], "c": {"d": 1.5, "e": None, "f": "\x00" * (ahead % 2)}}
        assert orjson.loads(json_of(event)) == plain(event)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, "3"),
        ("  two\nlines\x00 ", "two lines"),
        ("\ud800", ""),
        ("x" * 300, "x" * 200),
    ],
)
def test_tags_are_short_lines(value: object, expected: str) -> None:
    """A tag is one line of at most 200 characters."""
    assert tag_text(value) == expected


@pytest.mark.parametrize(
    ("chars", "bucket"),
    [
        (None, None),
        (0, "0-5k"),
        (4_999, "0-5k"),
        (5_000, "5k-10k"),
        (20_000, "20k-50k"),
        (49_999, "20k-50k"),
        (350_000, "200k-500k"),
        (500_000, "500k+"),
    ],
)
def test_sizes_fall_into_buckets(chars: int | None, bucket: str | None) -> None:
    """The lower edge belongs to the bucket."""
    assert size_bucket(chars) == bucket


def test_the_sample_is_the_same_everywhere() -> None:
    """It hangs on the request id alone, and a larger share contains a smaller one."""
    ids = [f"request-{n}" for n in range(4_000)]
    quarter = {id for id in ids if is_sampled(id, 0.25)}
    assert len(quarter) == 993
    assert quarter < {id for id in ids if is_sampled(id, 0.5)}
    assert {id for id in ids if is_sampled(id, 1.0)} == set(ids)
    assert not any(is_sampled(id, 0.0) for id in ids)
    assert is_sampled("\ud800", 1.0)


@pytest.mark.parametrize(
    ("facts", "field", "expected"),
    [
        ({}, "prompt_size", 31_234),
        ({"outcome": "shadow", "mode": "shadow"}, "prompt_size", 116_000),
        ({"original_chars": None, "outcome": "shadow"}, "prompt_size", None),
        (
            {"original_chars": None, "outcome": "shadow"},
            "summary",
            "Prompt Request: claude-sonnet-4-5, unknown size, 12 tools",
        ),
        ({"breakpoints_added": 0, "breakpoints_client": 0, "breakpoints_total": 0}, "cache_enabled", False),
        ({"list_price_saved_usd": None, "list_price_saved_reason": "no price"}, "list_price_saved_usd", None),
    ],
)
def test_the_request_says_what_really_left(facts: dict[str, Any], field: str, expected: object) -> None:
    """In shadow mode that is the original prompt; unknown is null, not 0."""
    event = (request_events(record(**facts)))[2]
    assert event["contexts"]["request"][field] == expected


@pytest.mark.parametrize(
    "made", [record(decision_us=None), passthrough("unrecognised")], ids=["unknown time", "passthrough"]
)
def test_no_transaction_without_a_decision(made: Any) -> None:
    """The mean duration is that of routing decisions."""
    assert all(event.get("type") != "transaction" for event in request_events(made))


def test_what_a_routing_model_did_is_told_where_the_profile_names_one() -> None:
    asked = record(routing_model="small", routing_model_outcome="answered", routing_model_wait_us=400_000)
    asked = replace(asked, routing_model_call_count=1, routing_model_usd=Decimal("0.0001"))
    context = (request_events(asked))[2]["contexts"]["request"]
    assert (context["routing_model_outcome"], context["routing_model_usd"]) == ("answered", "0.0001")
    assert (context["routing_model_wait_us"], context["routing_model_call_count"]) == (400_000, 1)
    plainly = (request_events(record()))[2]["contexts"]["request"]
    assert not any(name.startswith("routing_model") for name in plainly)
