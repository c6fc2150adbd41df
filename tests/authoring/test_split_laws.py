"""Laws of splitting: nothing is lost whatever the prompt, and slots are what varies and nothing else."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from litellm_prompt_router.authoring.split import split_prompt, write_draft
from litellm_prompt_router.authoring.split.draft_trial import profile_of
from litellm_prompt_router.files import load_profile
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.pipeline import Pipeline
from litellm_prompt_router.request.recognise import Catalogue
from litellm_prompt_router.request.types import Rewritten, Target
from tests.generated_prompts import blocks, prompts
from tests.law_examples import examples

TARGET = Target(takes_marks=False, min_cache_tokens=0, input_usd_per_token=None)


def count_tokens(text: str) -> int:
    return len(text) // 4 + 1


def written(samples: list[str], **sizes: Any) -> Profile:
    """The profile of these samples, as the library reads it from disk."""
    draft = split_prompt(samples, name="any", count_tokens=count_tokens, **sizes)
    with tempfile.TemporaryDirectory() as root:
        return load_profile(write_draft(draft, Path(root)), count_tokens)


@given(
    text=st.one_of(prompts(), st.text(st.characters(exclude_categories=["Cs"]), min_size=1)),
    target=st.one_of(st.none(), st.integers(1, 400)),
    applies=st.booleans(),
)
@example(text="{{date}} 2026-11-22 {{date_2}} {2026-11-23}", target=None, applies=True)
@example(text=" \n", target=None, applies=False)
@settings(max_examples=examples(120), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_split_prompt_joins_to_itself(text: str, target: int | None, applies: bool) -> None:
    assert written([text], target_chars=target, apply_proposals=applies).text == text


@given(texts=st.lists(prompts(), min_size=2, max_size=3))
@settings(max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_samples_of_anything_join_to_the_first(texts: list[str]) -> None:
    """But for values of slots that a profile doesn't show, such as listings."""
    for samples in ([texts[0], *(texts[0] + text for text in texts[1:])], texts):
        profile = written(samples)
        literals = [part for module in profile.modules for part in module.parts if isinstance(part, str)]
        at = 0
        for literal in literals:
            at = texts[0].index(literal, at) + len(literal)


# Injected variation

LETTERS = "abcdefghijklmnopqrstuvwxyz"
fresh_words = st.text(LETTERS, min_size=6, max_size=12)
VALUES: dict[str, st.SearchStrategy[str]] = {
    "date": st.dates().filter(lambda d: d.year >= 1000).map(str),
    "time": st.times().map(lambda t: f"{t.hour:02}:{t.minute:02}"),
    "path": st.lists(fresh_words, min_size=2, max_size=4).map(lambda parts: "/" + "/".join(parts)),
    "id": st.uuids().map(str),
    "word": fresh_words,
    "name": st.tuples(fresh_words, fresh_words).map(lambda pair: " ".join(map(str.capitalize, pair))),
    "listing": st.lists(
        st.tuples(fresh_words, fresh_words).map(lambda p: f"{p[0]}/{p[1]}.txt"), min_size=1, max_size=5
    ).map("\n".join),
    "block": st.one_of(st.just(""), st.lists(fresh_words, min_size=3, max_size=9).map(" ".join)),
}
LINES = {
    "date": "Today the calendar says {}.",
    "time": "Local clock of the office: {}",
    "path": "Working directory: {}",
    "id": "Session number {} is yours.",
    "word": "The colour of the day is {} everywhere.",
    "name": "You are talking to {} right now.",
    "listing": "<workspace_files>\n{}\n</workspace_files>",
    "block": "Remarks of the operator:\n{}\nThat was all from the operator.",
}


@st.composite
def varied(draw: st.DrawFn, size: int) -> tuple[list[str], list[list[str]], list[str]]:
    """``(templates, values of each sample, kinds)``: literal stretches with a value between any two."""
    kinds = draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=4, unique=True))
    literals = ["\n".join(["# Guide to the harbour", "", *draw(st.lists(blocks, max_size=3)), "", ""])]
    for number, kind in enumerate(kinds):
        before, after = LINES[kind].split("{}")
        literals[-1] += f"## Chapter {number} about {kind}s\n\n{before}"
        rest = [*draw(st.lists(blocks, min_size=1, max_size=4)), f"Closing words of chapter {number}, on {kind}s."]
        literals.append(f"{after}\n\n" + "\n\n".join(rest) + "\n\n")
    samples = [[draw(VALUES[kind]) for kind in kinds] for _ in range(size)]
    return literals, samples, kinds


def filled(literals: list[str], values: list[str]) -> str:
    return literals[0] + "".join(value + literal for value, literal in zip(values, literals[1:], strict=True))


def visible(text: str, spans: list[tuple[int, int]]) -> set[int]:
    """Positions inside the spans that hold something visible."""
    return {at for start, end in spans for at in range(start, end) if not text[at].isspace()}


def slot_spans(profile: Profile, text: str) -> list[tuple[int, int]]:
    """Where the slots are in a version of the prompt."""
    found = Catalogue([profile]).recognise(text, only="any")
    assert found is not None
    assert found.coverage == 1.0
    return [(span.start, span.end) for span in found.spans if span.kind == "slot"]


def is_distinct(samples: list[list[str]]) -> bool:
    """No two samples share a value or a word of one."""
    for values in zip(*samples, strict=True):
        words = [set(re.findall(r"[^\W_]+", value.lower())) for value in values]
        if any(a & b for n, a in enumerate(words) for b in words[n + 1 :]) or len(set(values)) < len(values):
            return False
    return True


@given(case=varied(3))
@settings(
    max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
def test_slots_are_what_was_injected_and_nothing_else(case: tuple[list[str], list[list[str]], list[str]]) -> None:
    """The values, with no more around them than the sentence or the tag that they stand in."""
    literals, samples, kinds = case
    if not is_distinct(samples):
        return
    texts = [filled(literals, values) for values in samples]
    profile = written(texts)
    injected, sentences, at = [], [], 0
    for literal, value, kind in zip(literals, samples[0], kinds, strict=False):
        at += len(literal)
        before, after = LINES[kind].split("{}")
        injected.append((at, at + len(value)))
        sentences.append((at - len(before), at + len(value) + len(after)))
        at += len(value)
    slots = visible(texts[0], slot_spans(profile, texts[0]))
    assert visible(texts[0], injected) <= slots <= visible(texts[0], sentences)
    catalogue = Catalogue([profile])
    for text in texts:
        found = catalogue.recognise(text, only="any")
        assert found is not None
        assert found.coverage == 1.0


@given(case=varied(4), unknown=fresh_words.map(lambda word: f"Unheard of: {word} and more of it."), data=st.data())
@settings(
    max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
def test_whatever_is_inserted_reaches_the_provider(
    case: tuple[list[str], list[list[str]], list[str]], unknown: str, data: st.DataObject
) -> None:
    """Values never seen before, an unknown line and changed white space: everything inserted stays."""
    literals, samples, _ = case
    if not is_distinct(samples):
        return
    profile = written([filled(literals, values) for values in samples[:3]])
    ends = [match.end() for literal in literals for match in re.finditer(r"\n\n", literal)]
    text = filled(literals, samples[3])
    places = [match.end() for match in re.finditer(r"\n\n", text)]
    assert ends
    place = data.draw(st.sampled_from(places))
    text = f"{text[:place]}{unknown}\n\n{text[place:]}"
    if data.draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    body = {"model": "m", "messages": [{"role": "system", "content": text}, {"role": "user", "content": "hello there"}]}
    pipeline = Pipeline([profile], count_tokens, coverage_floor=0.0)
    walked = pipeline.walk(body, "acompletion", lambda: TARGET)
    content = walked.body["messages"][0]["content"]
    sent = content if isinstance(content, str) else "".join(block["text"] for block in content)
    for value in (*samples[3], unknown):
        assert value.replace("\n", "") in sent.replace("\r", "").replace("\n", "")
    assert isinstance(walked.outcome, Rewritten) or sent == text


@given(text=prompts())
@settings(max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_draft_in_memory_is_the_profile_on_disk(text: str) -> None:
    draft = split_prompt([text], name="any", count_tokens=count_tokens, apply_proposals=True)
    loaded = written([text], apply_proposals=True)
    tried = profile_of(draft)
    assert [module.text for module in tried.modules] == [module.text for module in loaded.modules]
    assert [m.requires for m in tried.modules] == [m.requires for m in loaded.modules]
