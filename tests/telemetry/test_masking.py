"""What counts as a secret in captured text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm_prompt_router.telemetry.masking import Masker

SECRET = "sk-proj-0123456789abcdefXYZ"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(f"use {SECRET}, please", "use [masked], please", id="key prefix"),
        pytest.param("ghp_" + "a1B2" * 9, "[masked]", id="GitHub"),
        pytest.param("glpat-" + "a1B2" * 5, "[masked]", id="GitLab"),
        pytest.param("xoxb-1234567890-abcdef", "[masked]", id="Slack"),
        pytest.param("AIza" + "a1B2" * 9, "[masked]", id="Google"),
        pytest.param("sk_live_" + "a1B2" * 5, "[masked]", id="Stripe"),
        pytest.param("id AKIAIOSFODNN7EXAMPLE.", "id [masked].", id="AWS key id"),
        pytest.param("AWS_SECRET_ACCESS_KEY=" + "a1B2/" * 8, "AWS_SECRET_ACCESS_KEY=[masked]", id="AWS secret"),
        pytest.param("authorization: bearer " + "a1B2" * 5, "authorization: bearer [masked]", id="bearer"),
        pytest.param("Basic dXNlcjpodW50ZXIyaHVudGVyMg==", "Basic [masked]", id="basic"),
        pytest.param("eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.c2ln", "[masked]", id="web token"),
        pytest.param(
            "-----BEGIN RSA PRIVATE KEY-----\nab\ncd\n-----END RSA PRIVATE KEY----- end", "[masked] end", id="PEM"
        ),
        pytest.param("-----BEGIN PRIVATE KEY-----\nab\ncd", "[masked]", id="PEM cut short"),
        pytest.param("https://user:hunter2@host/x", "https://user:[masked]@host/x", id="URL"),
        pytest.param("DB_PASSWORD: 'correct-horse'", "DB_PASSWORD: '[masked]'", id="password"),
        pytest.param('{\\"apiKey\\": \\"a1B2c3D4e5\\"}', '{\\"apiKey\\": \\"[masked]\\"}', id="escaped JSON"),
        pytest.param(f"日本語 \ud800 {SECRET} ✓", "日本語 \ud800 [masked] ✓", id="any script, a lone surrogate"),
    ],
)
def test_secrets_are_masked(text: str, expected: str) -> None:
    """Whole secrets go; what names them and what is around them stays."""
    assert Masker().masked_text(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Tokens are units of text; a token is about four characters.",
        "The password field must not be empty. Ask for the api key first.",
        "secret: no",
        "task-oriented risk-averse desk-bound",
        "https://host:8080/path?x=1",
        "bearer of good news",
        "See section 4.2 (token budget): max_tokens = 4096",
    ],
)
def test_prose_stays(text: str) -> None:
    """A prompt is full of the words; masking it would keep it from being learnt."""
    assert Masker().masked_text(text) == text


def test_names_tell_too() -> None:
    """Whatever stands under a telling name is masked, however it looks."""
    value = {
        "api_key": "x",
        "max_tokens": 5,
        "headers": [{"X-Authorization": "y", "password": None}],
        "tool": {"token": {}},
    }
    assert Masker().masked(value) == {
        "api_key": "[masked]",
        "max_tokens": 5,
        "headers": [{"X-Authorization": "[masked]", "password": None}],
        "tool": {"token": {}},
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.just(f"a {SECRET} b"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=12,
)


@given(value=JSON)
@settings(max_examples=200, deadline=None)
def test_no_secret_is_left_anywhere(value: Any) -> None:
    """At any depth, the second time as the first; the value given is not changed, and its shape stays."""
    before = json.dumps(value)
    masker = Masker()
    out = masker.masked(value)
    assert SECRET not in json.dumps(out)
    assert masker.masked(value) == out
    assert json.dumps(value) == before
    assert json.dumps(out).replace("[masked]", "") == before.replace(SECRET, "").replace("[masked]", "")
