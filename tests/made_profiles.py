"""Profiles, requests and readable span layouts for the unit tests."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from litellm_prompt_router.profile.patterns import compile_pattern
from litellm_prompt_router.profile.profile import Module, Profile, Slot, Ttl
from litellm_prompt_router.request.types import Recognition, Request, Target
from litellm_prompt_router.request.wire import chat

TAKES_MARKS = Target(takes_marks=True, min_cache_tokens=0, input_usd_per_token=Decimal("0.000003"))
NO_MARKS = Target(takes_marks=False, min_cache_tokens=0, input_usd_per_token=None)


def count_words(text: str) -> int:
    """Stands in for a tokenizer: sizes that can be checked by eye."""
    return len(text.split())


def slot(name: str, pattern: str, sample: str, *, volatile: bool = False, max_chars: int = 50_000) -> Slot:
    return Slot(name=name, pattern=compile_pattern(pattern), sample=sample, volatile=volatile, max_chars=max_chars)


def module(
    id: str,
    *parts: str | Slot,
    always: bool = False,
    requires: Sequence[str] = (),
    triggers: Sequence[str] = (),
    tools: Sequence[str] = (),
    optional: bool = False,
) -> Module:
    """``optional``: routed by triggers and tool calls without a fit, too."""
    return Module(
        id=id,
        title=id,
        description="",
        always=always,
        requires=tuple(requires),
        triggers=tuple(triggers),
        examples=(),
        tools=tuple(tools),
        parts=parts,
        tokens=sum(count_words(part) for part in parts if isinstance(part, str)),
        optional=optional,
    )


def profile(*modules: Module, name: str = "sample", cache_ttl: Ttl = "5m") -> Profile:
    return Profile(
        name=name,
        version="1",
        digest=name,
        description="",
        modules=modules,
        coverage_floor=None,
        cache_ttl=cache_ttl,
        order={module.id: number for number, module in enumerate(modules)},
    )


def layout(recognition: Recognition) -> list[str]:
    """Spans by name, neighbours of one module joined: ``['core', '<date>', 'core', '?']``, ``?`` for residue."""
    names: list[str] = []
    for span in recognition.spans:
        if span.kind == "residue":
            name = "?"
        elif span.slot is not None:
            name = f"<{span.slot.name}>"
        else:
            name = recognition.profile.modules[span.module].id
        if span.slot is not None or not names or names[-1] != name:
            names.append(name)
    return names


def texts_of(recognition: Recognition, text: str, name: str) -> list[str]:
    """The text of each span of that name, as ``layout`` names them."""
    found = []
    for span in recognition.spans:
        own = f"<{span.slot.name}>" if span.slot else "?" if span.kind == "residue" else ""
        if own == name:
            found.append(text[span.start : span.end])
    return found


def check_partition(recognition: Recognition, text: str) -> None:
    """Spans cover the text without gap or overlap, and coverage says what share of it is known."""
    at = known = 0
    for span in recognition.spans:
        assert span.start == at
        assert span.end >= span.start
        known += (span.end - span.start) * (span.kind != "residue")
        at = span.end
    assert at == len(text)
    assert recognition.coverage == known / len(text)


def system_request(*contents: Any, rest: Sequence[dict[str, Any]] = (), **body: Any) -> tuple[dict[str, Any], Request]:
    """A chat body with these leading system contents (string or blocks), and what ``wire`` reads from it."""
    messages = [*({"role": "system", "content": content} for content in contents), *rest]
    data = {"model": "m", "messages": messages, **body}
    return data, chat.read(data)


# The harbour office: five modules, all text, cut at paragraph ends.

IDENTITY = (
    "# Harbour office\n\n"
    "You run the harbour office of a small port on behalf of its master.\n"
    "Answer briefly, name the ship you talk about, and never promise a berth.\n\n"
)
BERTHS = (
    "## Berths\n\n"
    "Use `berth_plan` to see which quay is free and `berth_assign` to take one.\n"
    "A ship longer than ninety metres only fits the outer quay.\n\n"
)
TIDES = (
    "## Tides and weather\n\n"
    "Use `tide_table` before you confirm a time of arrival.\n"
    "  - below two metres nothing with a deep keel may pass the bar\n"
    "  - gale warnings close the outer quay\n\n"
)
FEES = (
    "## Fees and invoices\n\n"
    "Use `fee_quote` with length, draught and nights; round up to full nights.\n"
    "Invoices go out on the day of departure, never before.\n\n"
)
LETTERS = (
    "## Letters\n\nSign every letter with the office's name and the date.\nQuote the ship's number in its subject.\n"
)

HARBOUR = profile(
    module("identity", IDENTITY, always=True),
    module("berths", BERTHS, triggers=["berth*", "quay"], tools=["berth_plan", "berth_assign"], optional=True),
    module("tides", TIDES, triggers=["tide*", "weather"], tools=["tide_table"], optional=True),
    module(
        "fees", FEES, triggers=["fee", "fees", "invoice*"], requires=["letters"], tools=["fee_quote"], optional=True
    ),
    module("letters", LETTERS, triggers=["letter*"], optional=True),
    name="harbour",
)
PROMPT = HARBOUR.text
ALL = ["identity", "berths", "tides", "fees", "letters"]
