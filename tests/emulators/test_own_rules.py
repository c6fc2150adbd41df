"""The emulated providers know nothing of the product's model of caches, so that they can tell whether it is right."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from tests.emulators.prefix_store import Billed, SharedStore, UnitStore
from tests.emulators.prompt_pieces import Piece
from tests.emulators.provider_rules import CacheRules, Longest, Units, chat_host_rules, claude_rules, lasting

FOLDER = Path(__file__).parent
PRODUCT = "litellm_prompt_router"
ALLOWED = {
    "litellm_prompt_router.profile.tokens",  # how texts are counted is no rule of a cache
}
OF_CACHES = ("cache_model", "accounting", "request.breakpoints", "analysis")


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
            names.add(str(node.module))
    return names


@pytest.mark.parametrize(
    "path", [p for p in FOLDER.glob("*.py") if not p.name.startswith("test_")], ids=lambda p: p.name
)
def test_no_emulator_knows_the_products_caches(path: Path) -> None:
    known = {name for name in imported(path) if name.startswith(PRODUCT)}
    assert not [name for name in known if any(name.startswith(f"{PRODUCT}.{room}") for room in OF_CACHES)]


@pytest.mark.parametrize("name", ["caching", "prefix_store", "prompt_pieces", "provider_rules"])
def test_what_emulates_a_cache_has_only_the_tokenizer_of_the_product(name: str) -> None:
    known = {found for found in imported(FOLDER / f"{name}.py") if found.startswith(PRODUCT)}
    assert known <= ALLOWED | {f"{one}.token_counter" for one in ALLOWED}


def said(name: str, tokens: int, role: str = "user") -> Piece:
    return Piece(frame=role, text=name * tokens, tokens=tokens, frame_tokens=0, role=role)


def count(text: str) -> int:
    return len(text)


A, B, C, D, ANSWER = said("a", 128), said("b", 64), said("c", 64), said("d", 64), said("x", 64, "assistant")


def test_deepseeks_two_examples() -> None:
    """What two requests share is read by the third; a conversation goes on from its own end, its answer included."""
    store = UnitStore(Units())
    read = [store.bill(pieces, at, at).read for at, pieces in enumerate(([A, B], [A, C], [A, D]))]
    assert read == [0, 0, 128]
    store = UnitStore(Units())
    read = [store.bill(pieces, at, at).read for at, pieces in enumerate(([A, B], [A, B, ANSWER, C]))]
    assert read == [0, 256]


def test_tokens_are_shared_within_a_text() -> None:
    rules = Longest(least_tokens=100, step_tokens=10, lifetime=300)
    store = SharedStore(rules, count)
    half = Piece(frame="user", text="a" * 75 + "z" * 53, tokens=128, frame_tokens=0)
    assert store.bill([B, A], 0, 0) == Billed()
    assert store.bill([B, half], 299, 299).read == 130  # 64 of b, 75 of a, to the ten
    assert store.bill([B, A], 300, 300).read == 130, "the whole has expired, what was read since hasn't"
    assert store.bill([B, A], 299 + 300, 599).read == 190


def test_an_identical_request_is_read_whole_at_moonshot() -> None:
    rules = chat_host_rules("moonshot", "kimi", is_marked=False)
    assert isinstance(rules, Longest)
    store = SharedStore(rules, count)
    whole = [said("a", 300)]
    assert [store.bill(pieces, at, at).read for at, pieces in enumerate((whole, whole, [*whole, B]))] == [0, 300, 256]


@pytest.mark.parametrize("host", ["xai", "mistral", "zai", "dashscope"])
def test_what_isnt_published_can_be_read_both_ways(host: str) -> None:
    rules = chat_host_rules(host, "model", is_marked=False)
    longer = lasting(rules)
    assert isinstance(rules, Longest)
    assert isinstance(longer, Longest)
    assert (rules.lifetime, longer.lifetime, longer.step_tokens) == (300, 7_200, 1)


@pytest.mark.parametrize("rules", [claude_rules("claude-sonnet-4-5"), Units(), replace(Units(), lifetime=5)])
def test_what_is_published_stays(rules: CacheRules) -> None:
    assert lasting(rules) is rules
