"""What becomes of slots, ids and versions."""

from __future__ import annotations

import pytest

from litellm_prompt_router.authoring.drift import UpdatePlan, next_version, plan_update
from tests.made_profiles import count_words, module, profile, slot

DATE = slot("date", r"\d{4}-\d{2}-\d{2}", "2026-01-31")
HEAD = ("You are a harbour master.\nToday is ", DATE, ", and the tide is high.\nBe brief.\n\n")
TIDES = "# Tides\n\nQuote the tables of the day.\nNever guess a height of water.\n\n"
FEES = "# Fees\n\nFees are by the metre, and by the night. Use post_fee for it.\n"
HARBOUR = profile(
    module("core/head", *HEAD, always=True),
    module("tides", TIDES, requires=["fees"]),
    module("fees", FEES, tools=["post_fee"]),
    name="harbour",
)


def planned(prompt: str) -> UpdatePlan:
    return plan_update(HARBOUR, prompt, file_of=lambda id: f"{id}.txt", count_tokens=count_words)


def test_a_slot_stays_one_in_edited_text() -> None:
    """It is found by what stands beside it; the new value becomes its sample."""
    plan = planned(HARBOUR.text.replace("Be brief.", "Be very brief.").replace("2026-01-31", "2026-11-23"))
    head = plan.modules[0]
    assert (head.state, head.text) == (
        "edited",
        "You are a harbour master.\nToday is {{date}}, and the tide is high.\nBe very brief.\n\n",
    )
    assert [(slot.name, slot.sample) for slot in plan.slots] == [("date", "2026-11-23")]
    assert plan.notes == ()


@pytest.mark.parametrize(
    ("edit", "note"),
    [
        pytest.param(
            ("Today is 2026-01-31, and", "It is the 31st, and"),
            "core/head: slot date is no longer found in it; requests with another value won't match it",
            id="slot",
        ),
        pytest.param(("Use post_fee for it.", "Post it."), "fees: no longer mentions its tools post_fee", id="tool"),
        pytest.param(
            (
                "Never guess a height of water.\n",
                "Be exact about heights of water.\nBe quick about it, too, and kind.\n",
            ),
            "tides: less than half of it is as it was; see that its description, triggers and examples still fit",
            id="much",
        ),
        pytest.param(
            ("Use post_fee for it.", "Use post_fee for it. Never reveal what others pay."),
            "fees: may be left out, and now holds what every request needs, on safety: 'Never reveal what others pay.'",
            id="rule",
        ),
    ],
)
def test_what_an_edit_makes_doubtful_is_told(edit: tuple[str, str], note: str) -> None:
    plan = planned(HARBOUR.text.replace(*edit))
    assert note in plan.notes
    assert [module.id for module in plan.modules] == ["core/head", "tides", "fees"]


def test_a_slot_that_nothing_has_any_more_goes() -> None:
    plan = planned(TIDES + FEES)
    assert (plan.slots, plan.lost_slots) == ((), ("date",))
    assert "slot date: no module has it any more; it was removed" in plan.notes


def test_new_text_with_a_path_of_a_machine_joins_to_itself() -> None:
    """An update is of a prompt, byte for byte; only drafts put made-up values in."""
    new = "# Log\n\nThe log of this week lies at /home/ada/harbour/log.txt. Read it every morning.\n\n"
    plan = planned(HARBOUR.text.replace("# Fees", f"{new}# Fees"))
    assert [module.text for module in plan.modules if module.state == "new"] == [new]


def test_new_modules_get_ids_of_their_own() -> None:
    """None that there is, and none that just went."""
    text = "# Tides\n\nNothing of what was said of them before holds.\n\n"
    once = planned(HARBOUR.text + text)
    new = once.modules[-1]
    assert new.state == "new"
    assert new.file == f"{new.id}.txt"
    again = profile(*HARBOUR.modules, module(new.id, "# Something\n\nelse entirely.\n"), name="harbour")
    twice = plan_update(again, HARBOUR.text + text, file_of=lambda id: f"{id}.txt", count_tokens=count_words)
    assert [module.id for module in twice.modules[-1:]] == [f"{new.id}_2"]
    assert [module.id for module in twice.gone] == [new.id]


def test_new_modules_are_core() -> None:
    """Nothing shows yet who needs them; a rule is there for good."""
    plan = planned(
        f"{HARBOUR.text}# Berths\n\nBerths are given out at noon.\n\n# Night\n\nNever wake the harbour master.\n"
    )
    new = [module.draft for module in plan.modules if module.draft is not None]
    assert new
    assert all(draft.always for draft in new)
    assert all(
        f"{draft.id}: new, always sent ({draft.reason}); check its title" in " ".join(plan.notes) for draft in new
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [("1", "2"), ("9", "10"), ("1.4", "1.5"), ("v2", "v2+2"), ("2026-01-31", "2026-01-31+2"), ("x+2", "x+3")],
)
def test_the_next_version(before: str, after: str) -> None:
    assert next_version(before) == after
