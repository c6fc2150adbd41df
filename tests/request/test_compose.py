"""Composition: what is kept, in which order, and how pieces that never met are joined."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import pytest

from litellm_prompt_router.profile.profile import Profile, Slot
from litellm_prompt_router.request.breakpoints import plan_breakpoints
from litellm_prompt_router.request.compose import compose
from litellm_prompt_router.request.recognise import Catalogue
from litellm_prompt_router.request.route import Router
from litellm_prompt_router.request.types import Composition, Recognition, Rewritten, RoutingDecision, Turn
from litellm_prompt_router.request.wire import chat
from tests.made_profiles import NO_MARKS, TAKES_MARKS, count_words, module, profile, slot, system_request

DATE = slot("date", r"Today is \d{4}-\d{2}-\d{2}\.", "Today is 2026-11-22.", volatile=True)
USER = slot("user", r"User: [A-Z]\w*\.", "User: Ada.")
FILES = slot("files", r"<files>[^<]*</files>", "<files>\na\n</files>", volatile=True)
NOTE = slot("note", r"[^\n]*", "a note", volatile=True)

IDENTITY = "# Ferry line\n\nYou sell tickets for the ferries of a narrow fjord.\n\n"
CABINS = "## Cabins\n\nUse `cabin_map` to see which cabins are free tonight.\n\n"
CARGO = "## Cargo\n\nUse `cargo_list` before a lorry is told to come aboard.\n\n"
MEALS = "## Meals\n\nThe galley closes when the lights of the town are out of sight.\n\n"
TONE = "## Tone\n\nBe short, be kind, and tell people when to be at the quay.\n"

FERRY = profile(
    module("identity", IDENTITY, always=True),
    module("cabins", CABINS, triggers=["cabin*"], optional=True),
    module("cargo", CARGO, triggers=["cargo"], optional=True),
    module("meals", MEALS, triggers=["meal*"], optional=True),
    module("tone", TONE, always=True),
    name="ferry",
)
P = FERRY.text


def composed(sample: Profile, selected: Iterable[str], *contents: str) -> tuple[str, Composition]:
    """The system text as it would leave, and its composition; ``selected`` beyond the ``always`` modules."""
    data, request = system_request(*contents)
    recognition = Catalogue([sample]).recognise(request.system_text)
    assert recognition is not None
    chosen = frozenset(n for n, m in enumerate(sample.modules) if m.always or m.id in set(selected))
    composition = compose(request, recognition, chosen, count_words)
    plan = plan_breakpoints(request, recognition, composition, NO_MARKS)
    rewritten = Rewritten(
        recognition=recognition,
        decision=decision(sample),
        composition=composition,
        breakpoints=plan,
        placement="append",
        target=NO_MARKS,
        cache_key="k",
    )
    messages = chat.write(data, request, rewritten)["messages"]
    return "".join(text for message in messages for text in texts(message["content"])), composition


def decision(sample: Profile) -> RoutingDecision:
    """Any: what is written follows from the composition."""
    return Router(sample).decide([Turn(role="user", text="hello")])


def texts(content: str | list[dict[str, str]]) -> list[str]:
    return [content] if isinstance(content, str) else [block["text"] for block in content]


def crlf(text: str) -> str:
    return text.replace("\n", "\r\n")


ORDER: dict[str, tuple[list[str], str, str]] = {
    "core alone": ([], P, IDENTITY + TONE),
    "core first, then modules in profile order": (["cargo", "cabins"], P, IDENTITY + TONE + CABINS + CARGO),
    "everything": (["cabins", "cargo", "meals"], P, IDENTITY + TONE + CABINS + CARGO + MEALS),
    "reordered prompts come out in profile order": (
        ["cabins", "meals"],
        MEALS + IDENTITY + CARGO + TONE + CABINS,
        IDENTITY + TONE + CABINS + MEALS,
    ),
    "shortened": (["cabins", "cargo"], IDENTITY + CARGO + TONE, IDENTITY + TONE + CARGO),
    "CRLF is kept": (["meals"], crlf(P), crlf(IDENTITY + TONE + MEALS)),
    "text in front stays in front": ([], f"FRONT\n\n{P}", f"FRONT\n\n{IDENTITY}{TONE}"),
    "text in front on the same line": ([], f"FRONT {P}", f"FRONT {IDENTITY}{TONE}"),
    "text behind stays last": (["cabins"], f"{P}\nBEHIND", f"{IDENTITY}{TONE}\n{CABINS}BEHIND"),
    "text behind the core stays there": (
        ["cabins"],
        IDENTITY + "EXTRA\n\n" + CABINS + CARGO + MEALS + TONE,
        IDENTITY + "EXTRA\n\n" + TONE + CABINS,
    ),
    "text behind a kept module goes with it": (
        ["cabins", "meals"],
        IDENTITY + CABINS + "EXTRA\n\n" + CARGO + MEALS + TONE,
        IDENTITY + TONE + CABINS + "EXTRA\n\n" + MEALS,
    ),
    "text behind a dropped module keeps its place": (
        ["cabins", "meals"],
        IDENTITY + CABINS + CARGO + "EXTRA\n\n" + MEALS + TONE,
        IDENTITY + TONE + CABINS + "EXTRA\n\n" + MEALS,
    ),
    "an edited module is kept": (
        [],
        P.replace("which cabins are free", "which cabins are taken"),
        IDENTITY + CABINS.replace("which cabins are free", "which cabins are taken") + TONE,
    ),
    "repeated prompts keep both copies of what is kept": (
        ["cargo"],
        P + "\n" + P,
        IDENTITY + TONE + "\n" + IDENTITY + TONE + CARGO + CARGO,
    ),
}


@pytest.mark.parametrize(("selected", "text", "expected"), ORDER.values(), ids=ORDER.keys())
def test_order(selected: list[str], text: str, expected: str) -> None:
    """Core, then selected modules, then what varies; text that isn't ours keeps its place."""
    out, composition = composed(FERRY, selected, text)
    assert out == expected
    assert "".join(text[piece.start : piece.end] for piece in composition.pieces) == out
    assert composition.chars == len(out)


Parts = Sequence[str | Slot]


def with_parts(cargo: Parts, tone: Parts | None = None, identity: Parts | None = None) -> Profile:
    """The ferry line with slots in some of its modules."""

    return profile(
        module("identity", *(identity or [IDENTITY]), always=True),
        module("cabins", CABINS),
        module("cargo", *cargo),
        module("tone", *(tone or [TONE]), always=True),
        name="slotted",
    )


CARGO_RULES = "Use `cargo_list` before a lorry is told to come aboard."
SLOTTED: dict[str, tuple[Profile, list[str], str]] = {
    "volatile slot of the core goes last": (
        with_parts([CARGO], identity=[IDENTITY, DATE, "\n\nSell no ticket twice to the same passenger.\n\n"]),
        ["cabins"],
        f"{IDENTITY}Sell no ticket twice to the same passenger.\n\n{TONE}{CABINS}Today is 2026-11-22.",
    ),
    "volatile slot of a kept module goes last": (
        with_parts(["## Cargo\n\n", DATE, f"\n\n{CARGO_RULES}\n\n"]),
        ["cabins", "cargo"],
        f"{IDENTITY}{TONE}{CABINS}## Cargo\n\n{CARGO_RULES}\n\nToday is 2026-11-22.",
    ),
    "volatile slot of a dropped module is kept": (
        with_parts(["## Cargo\n\n", DATE, f"\n\n{CARGO_RULES}\n\n"]),
        ["cabins"],
        f"{IDENTITY}{TONE}{CABINS}Today is 2026-11-22.",
    ),
    "steady slot of a kept module stays in it": (
        with_parts(["## Cargo\n\n", USER, f"\n\n{CARGO_RULES}\n\n"]),
        ["cargo"],
        f"{IDENTITY}{TONE}## Cargo\n\nUser: Ada.\n\n{CARGO_RULES}\n\n",
    ),
    "steady slot of a dropped module stays in its place": (
        with_parts(["## Cargo\n\n", USER, f"\n\n{CARGO_RULES}\n\n"]),
        ["cabins"],
        f"{IDENTITY}{TONE}{CABINS}User: Ada.",
    ),
}


def visible(text: str) -> list[str]:
    """Paragraphs: what has to be the same when blank lines may differ."""
    return [paragraph.strip() for paragraph in text.split("\n\n") if paragraph.strip()]


@pytest.mark.parametrize(("sample", "selected", "expected"), SLOTTED.values(), ids=SLOTTED.keys())
def test_slots(sample: Profile, selected: list[str], expected: str) -> None:
    """Every slot is kept, the volatile ones behind all that is stable."""
    out, _ = composed(sample, selected, sample.text)
    assert visible(out) == visible(expected)


APART: dict[str, tuple[Profile, list[str]]] = {
    "two volatile slots of one module": (
        with_parts(["## Cargo\n\n", DATE, "\n\n", FILES, f"\n\n{CARGO_RULES}\n\n"]),
        [],
    ),
    "two volatile slots of the core": (
        with_parts([CARGO], identity=[IDENTITY, DATE, "\n\n", FILES, "\n\nSell no ticket twice.\n\n"]),
        [],
    ),
    "a steady and a volatile slot": (with_parts(["## Cargo\n\n", USER, "\n\n", FILES, f"\n\n{CARGO_RULES}\n\n"]), []),
    "two steady slots of a dropped module": (
        with_parts(
            [
                "## Cargo\n\n",
                USER,
                "\n\nLoad it well and lash it down twice.\n\n",
                slot("ship", r"Ship: \w+\.", "Ship: Tern."),
                f"\n\n{CARGO_RULES}\n\n",
            ]
        ),
        [],
    ),
    "slots of two modules": (
        with_parts(["## Cargo\n\n", DATE, f"\n\n{CARGO_RULES}\n\n"], tone=[TONE, "\n", FILES, "\nMind the step.\n"]),
        [],
    ),
}


@pytest.mark.parametrize(("sample", "selected"), APART.values(), ids=APART.keys())
def test_values_that_stood_apart_stay_apart(sample: Profile, selected: list[str]) -> None:
    """Two slots never run into each other because the text between them is gone."""
    out, _ = composed(sample, selected, sample.text)
    lines = out.split("\n")
    for value in ("Today is 2026-11-22.", "User: Ada.", "Ship: Tern.", "<files>", "</files>"):
        if value in sample.text:
            assert lines.count(value) == 1


@pytest.mark.parametrize("selected", [["cabins", "cargo"], ["cabins"]], ids=["kept", "dropped"])
def test_text_behind_a_slot_at_a_modules_end_stays_apart(selected: list[str]) -> None:
    """Residue behind a module whose literal went doesn't stick to the slot that stays."""
    sample = with_parts(["## Cargo\n\n", USER, f"\n\n{CARGO_RULES}\n\n"])
    text = sample.text.replace("## Tone", "EXTRA rule.\n\n## Tone")
    out, _ = composed(sample, selected, text)
    assert {"User: Ada.", "EXTRA rule."} <= set(out.split("\n"))


@pytest.mark.parametrize("strip", [str, str.strip], ids=["as it is", "stripped"])
@pytest.mark.parametrize(
    "sample",
    [
        with_parts([CARGO], tone=[TONE, "\nNote: ", NOTE]),
        with_parts([CARGO], tone=[TONE, "\nNote: ", NOTE], identity=[IDENTITY, DATE, "\n\nSell no ticket twice.\n\n"]),
        with_parts([CARGO], identity=[IDENTITY, "Note: ", NOTE, "\nSell no ticket twice to anybody.\n\n"]),
        with_parts(["## Cargo\n\nNote: ", NOTE, f"\n{CARGO_RULES}\n\n"]),
    ],
    ids=["at the very end", "at the very end behind another", "in the core", "in a dropped module"],
)
def test_empty_values_break_nothing(sample: Profile, strip: Callable[[str], str]) -> None:
    """A slot may be empty, wherever it stands."""
    text = strip(sample.text.replace("a note", ""))
    out, composition = composed(sample, ["cabins"], text)
    assert "ferries of a narrow fjord" in out
    assert all(piece.end > piece.start for piece in composition.pieces)


# Seams

BARE = profile(
    module("identity", IDENTITY.strip(), always=True),
    module("cabins", CABINS.strip()),
    module("cargo", CARGO.strip()),
    module("tone", TONE.strip(), always=True),
    name="bare",
)


@pytest.mark.parametrize(
    ("selected", "expected"),
    [
        ([], [IDENTITY, TONE]),
        (["cabins"], [IDENTITY, TONE, CABINS]),
        (["cargo"], [IDENTITY, TONE, CARGO]),
        (["cabins", "cargo"], [IDENTITY, TONE, CABINS.strip() + CARGO]),
    ],
    ids=["core", "first", "second", "both, side by side as before"],
)
def test_strangers_get_a_paragraph_break(selected: list[str], expected: list[str]) -> None:
    """Modules without white space at their ends stay apart when what was between them goes."""
    out, _ = composed(BARE, selected, BARE.text)
    assert out.rstrip() == "\n\n".join(text.strip() for text in expected)


ALL_CORE = profile(
    module("identity", IDENTITY.strip() + " ", always=True), module("tone", TONE.strip(), always=True), name="core"
)
RUN_ON = profile(
    module("identity", "You sell tickets for the ferries of a narrow fjord, ", always=True),
    module("cabins", "and you know which of the cabins are free tonight."),
    module("cargo", "And which lorries may come aboard the late ferry."),
    name="run_on",
)


@pytest.mark.parametrize(
    ("sample", "text"),
    [
        (ALL_CORE, ALL_CORE.text),
        (ALL_CORE, f"{ALL_CORE.text} And more"),
        (RUN_ON, RUN_ON.text),
        (
            profile(
                module("identity", "You sell tickets for the ferries of a narrow fjord", always=True),
                module("cabins", ", and you know which of the cabins are free tonight."),
                name="comma",
            ),
            "You sell tickets for the ferries of a narrow fjord, and you know which of the cabins are free tonight.",
        ),
    ],
    ids=["all core", "all core and residue", "modules on one line", "modules that touch"],
)
def test_a_prompt_kept_whole_in_its_own_order_is_not_changed(sample: Profile, text: str) -> None:
    """Nothing is put between pieces that stood side by side in the original."""
    out, composition = composed(sample, [m.id for m in sample.modules], text)
    assert out == text
    assert composition.is_unchanged(len(text))


# Several blocks and messages


@pytest.mark.parametrize("white", ["", "\n\n"], ids=["white space lost", "white space in front"])
def test_white_space_behind_a_seam_stays_in_its_block(white: str) -> None:
    """Each kept piece stays within the message it came in."""
    data, request = system_request(IDENTITY.strip(), white + (CABINS + CARGO + MEALS + TONE))
    recognition = Catalogue([FERRY]).recognise(request.system_text)
    assert recognition is not None
    composition = compose(request, recognition, frozenset({0, 2, 4}), count_words)
    plan = plan_breakpoints(request, recognition, composition, TAKES_MARKS)
    rewritten = Rewritten(
        recognition=recognition,
        decision=decision(FERRY),
        composition=composition,
        breakpoints=plan,
        placement="append",
        target=TAKES_MARKS,
        cache_key="k",
    )
    out = chat.write(data, request, rewritten)["messages"]
    assert texts(out[0]["content"])[0].strip() == IDENTITY.strip()
    assert "".join(texts(out[1]["content"])).strip() == (TONE + CARGO).strip()


# Figures


SECOND = "a module's second time is unknown text"
COPIES: dict[str, tuple[str, dict[str, int], int]] = {
    "once": (P, {"identity": 1, "cabins": 1, "cargo": 1, "meals": 1, "tone": 1}, 0),
    "twice": (P + P, {"identity": 2, "cabins": 2, "cargo": 2, "meals": 2, "tone": 2}, 0),
    f"last module twice: {SECOND}": (
        P + TONE,
        {"identity": 1, "cabins": 1, "cargo": 1, "meals": 1, "tone": 1},
        count_words(TONE),
    ),
    f"dropped module twice: {SECOND}": (
        IDENTITY + CABINS + CABINS + TONE,
        {"identity": 1, "cabins": 1, "tone": 1},
        count_words(CABINS),
    ),
    "last module twice, text between": (
        P + "UNKNOWN words here\n\n" + TONE,
        {"identity": 1, "cabins": 1, "cargo": 1, "meals": 1, "tone": 1},
        3 + count_words(TONE),
    ),
}


@pytest.mark.parametrize(("text", "copies", "residue"), COPIES.values(), ids=COPIES)
def test_token_figures_count_every_copy(text: str, copies: dict[str, int], residue: int) -> None:
    """Sizes before and after add up from the modules' own, each as often as it is there."""
    sizes = {m.id: m.tokens for m in FERRY.modules}
    _, composition = composed(FERRY, [], text)
    assert composition.original_tokens == sum(sizes[m] * n for m, n in copies.items()) + residue
    assert composition.tokens == sum(sizes[m] * n for m, n in copies.items() if m in ("identity", "tone")) + residue


def test_token_figures_by_group() -> None:
    sample = with_parts([CARGO], identity=[IDENTITY, DATE, "\n\nSell no ticket twice.\n\n"])
    _, composition = composed(sample, ["cabins"], f"{sample.text}\nBEHIND the quay")
    sizes = {m.id: m.tokens for m in sample.modules}
    assert composition.core_tokens == sizes["identity"] + sizes["tone"]
    assert composition.routed_tokens == sizes["cabins"]
    assert composition.varying_tokens == 3 + 3
    assert composition.original_tokens == sum(sizes.values()) + 6
    assert composition.residue_chars == len("BEHIND the quay")


def test_core_is_the_same_whatever_follows_it() -> None:
    """Users share the core's bytes: selection, residue behind it and slot values don't change them."""
    heads = set()
    for selected in ([], ["cabins"], ["cargo"], ["cabins", "cargo"]):
        for text in (BARE.text, f"{BARE.text}\n\nBEHIND"):
            out, composition = composed(BARE, selected, text)
            seams = sum(2 for piece in composition.core if piece.seam)
            heads.add(out[: sum(piece.end - piece.start for piece in composition.core) + seams].rstrip())
    assert len(heads) == 1


def test_compose_does_not_depend_on_earlier_calls() -> None:
    """Arrangements are remembered by recognition and selection, values are not."""
    sample = with_parts(["## Cargo\n\n", DATE, f"\n\n{CARGO_RULES}\n\n"])
    catalogue = Catalogue([sample])
    for day in ("2026-11-22", "2026-11-23"):
        text = sample.text.replace("2026-11-22", day)
        _, request = system_request(text)
        recognition: Recognition | None = catalogue.recognise(text)
        assert recognition is not None
        composition = compose(request, recognition, frozenset({0, 3}), count_words)
        kept = "".join(text[piece.start : piece.end] for piece in composition.varying)
        assert kept.strip() == f"Today is {day}."
