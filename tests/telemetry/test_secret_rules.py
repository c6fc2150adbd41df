"""Secrets of many issuers, made up here: masked by our own rules, in text, in JSON, and in JSON inside JSON."""

from __future__ import annotations

import json
import random
import string
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm_prompt_router.telemetry.masking import Masker
from litellm_prompt_router.telemetry.secret_detector import NOT_INSTALLED, SecretDetector

LETTERS = string.ascii_letters + string.digits
HEX = "0123456789abcdef"


def made(length: int, alphabet: str = LETTERS) -> str:
    """Always the same for a length: no tool that looks for secrets is to find one in this file."""
    picker = random.Random(length)
    return "".join(picker.choice(alphabet) for _ in range(length))


CASES: dict[str, tuple[str, str]] = {
    "short password": ("password: {}", "hunter2"),
    "four characters": ('"password": "{}"', "x7!k"),
    "a word in YAML": ("db:\n  password: {}\n  host: x", "swordfish"),
    "DB_PASS": ("DB_PASS={}", "s3cr3t!"),
    "in a sentence": ("my password is {}, use it", "hunter2"),
    "escaped twice": ('{{\\\\"password\\\\": \\\\"{}\\\\"}}', "hunter22"),
    "camel case": ('dbPassword = "{}"', "hunter2"),
    "AccountKey": ("AccountName=acme;AccountKey={}==;EndpointSuffix=x", made(86)),
    "SAS": ("https://acme.blob.core.windows.net/c?sv=2022&sp=r&sig={}%3D", made(43)),
    "private_key_id": ('"private_key_id": "{}"', made(40, HEX)),
    "Slack webhook": ("https://hooks.slack.com/services/T0/B0/{}", made(24)),
    "SendGrid": ("SG.{}", f"{made(22)}.{made(43)}"),
    "Twilio": ("TWILIO_AUTH_TOKEN={}", made(32, HEX)),
    "Twilio key": ("use {}", "SK" + made(32, HEX)),
    "DigitalOcean": ("{}", "dop_v1_" + made(64, HEX)),
    "Sentry": ("https://{}@o1.ingest.sentry.io/2", made(32, HEX)),
    "cookie header": ("Cookie: a=1; sessionid={}; theme=dark", made(32)),
    "session cookie": ("curl -b JSESSIONID={} x", made(32)),
    "card": ("pay with {} today", "4242 4242 4242 4242"),
    "card in one": ("pay with {}.", "378282246310005"),
    "curl": ("curl -u admin:{} https://x", "pw1x9"),
    "mysql": ("mysql -uroot -p{} db", "pw1x9"),
    "Telegram": ("{}", "123456789:AA" + made(33)),
    "Discord": ("https://discord.com/api/webhooks/1234/{}", made(68)),
    "URL": ("postgres://bob:{}@db:5432/x", "p@ss1"),
    "bcrypt": ("bob:{}", "$2b$12$" + made(53)),
    "CVV": ("CVV: {}", "123"),
    "Docker": ('{{"auths": {{"r.example": {{"auth": "{}"}}}}}}', "Ym9iOmh1bnRlcjI="),
}


def own_rules() -> Masker:
    return Masker(SecretDetector(is_wanted=False))


@pytest.mark.parametrize(("form", "secret"), CASES.values(), ids=list(CASES))
@pytest.mark.parametrize("wrap", [str, json.dumps, lambda text: json.dumps({"a": json.dumps([text])})], ids=[0, 1, 2])
def test_own_rules_mask(form: str, secret: str, wrap: Callable[[str], str]) -> None:
    """However often the text is escaped; what is masked is counted, and nothing of it is in the counts."""
    masker = own_rules()
    text = wrap(form.format(secret))
    out = masker.masked_text(text)
    assert secret not in out
    assert "[masked]" in out
    assert own_rules().masked_text(text) == out
    assert masker.counts.total() >= 1
    assert secret not in str(masker.counts)
    if wrap is not str:
        json.loads(out)


@pytest.mark.parametrize(
    "text",
    [
        "Password: must be at least 8 characters",
        "the password is required",
        'password: str = Field(default="")',
        "token = os.environ['TOKEN']",
        'api_key: "YOUR_API_KEY"',
        "password={password}",
        "secret_key = settings.SECRET_KEY",
        "export TOKEN=$TOKEN",
        "at 1764000000123456 ms, order 4242424242424243, 0.4242424242424242",
        "cookies: they hold a session",
        '{"auth": "required", "x": {"auth": "oauth2"}}',
        "tests pass: 12 of 12",
        "Bearer tokens are explained below; --token is optional",
    ],
)
def test_code_and_prose_stay(text: str) -> None:
    assert own_rules().masked_text(text) == text


VALUES = st.sampled_from([form.format(secret) for form, secret in CASES.values()]) | st.text(max_size=12)
NAMES = st.sampled_from(["password", "a", "token", "pin"])
DOCUMENTS = st.recursive(
    VALUES | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return [shape(item) for item in value.values()]
    return [shape(item) for item in value] if isinstance(value, list) else isinstance(value, str) or value


@given(value=DOCUMENTS)
@settings(max_examples=150, deadline=None)
def test_only_texts_change(value: Any) -> None:
    """Of a JSON value; and JSON that is a text in it can still be read."""
    out = own_rules().masked(value)
    assert shape(out) == shape(value)
    json.loads(own_rules().masked_text(json.dumps({"x": value})))


@pytest.mark.skipif(SecretDetector().state == NOT_INSTALLED, reason="the extra `capture` isn't installed")
def test_the_detector_tells_where_secrets_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also behind letters of other scripts; what our own rules leave is masked by its findings."""
    monkeypatch.setattr("litellm_prompt_router.telemetry.masking.PASSES", ())
    masker = Masker()
    assert masker.masked_text(f"é日本 ghp_{made(36)} ok") == "é日本 [masked] ok"
    assert masker.counts.total() == 1
    assert masker.detector.state.endswith("rules")


def test_without_its_rules_nothing_is_let_through() -> None:
    """A detector that is installed and can't be loaded: no text is written."""
    detector = SecretDetector()
    detector.state = "failed: OSError"
    detector._scanner, detector._owner = None, __import__("os").getpid()
    detector._is_ready.set()
    masker = Masker(detector)
    assert masker.masked_text("some longer text") == "[masked]"
    assert masker.counts == {"not examined": 1}
