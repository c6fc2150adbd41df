"""Which modules of a draft's core labelled messages take out of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from litellm_prompt_router.authoring.fit import fields_of, freed_modules, with_freed
from litellm_prompt_router.files.labelled_messages import Case, Numbered
from tests.made_profiles import module, profile

NEEDED, SPARED = 3, 3


def cases(needed: int, spared: int, id: str = "topics/tides") -> list[Numbered]:
    wanted = [("topics/tides",) if id == "topics/tides" else (id,)] * needed + [()] * spared
    return [(number, Case(text=f"message {number}", needs=needs)) for number, needs in enumerate(wanted, 1)]


TIDES = replace(module("topics/tides", "# Tides\n\n", always=True), until_labelled=True)
FEES = replace(module("topics/fees", "# Fees\n\n", always=True), until_labelled=True)
RULES = module("core/rules", "# Rules\n\n", always=True)


@pytest.mark.parametrize(
    ("needed", "spared", "is_freed"), [(3, 3, True), (2, 30, False), (30, 2, False), (0, 30, False)]
)
def test_labels_take_out_what_some_need_and_others_do_not(needed: int, spared: int, is_freed: bool) -> None:
    """Two labels may be slips; what nobody labelled may have been thought to be there anyway."""
    found = freed_modules(profile(RULES, TIDES, FEES), cases(needed, spared))
    assert [freed.id for freed in found] == (["topics/tides"] if is_freed else [])


def test_what_is_in_the_core_for_good_stays_there() -> None:
    assert freed_modules(profile(RULES, TIDES), cases(9, 9, "core/rules")) == ()


def test_what_the_remaining_core_requires_stays_with_it() -> None:
    fees = replace(FEES, requires=("topics/tides",))
    assert freed_modules(profile(RULES, TIDES, fees), cases(9, 9)) == ()


def test_a_freed_module_is_routed_and_says_why() -> None:
    before = profile(RULES, TIDES, FEES)
    found = freed_modules(before, cases(4, 6))
    after = with_freed(before, found)
    assert [(each.always, each.until_labelled) for each in after.modules] == [
        (True, False),
        (False, False),
        (True, True),
    ]
    evidence = "4 of 10 labelled messages need it"
    assert fields_of(found) == {"topics/tides": {"always": None, "until_labelled": None, "evidence": evidence}}
