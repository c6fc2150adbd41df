"""Which module each stretch of a new prompt is, on prompts that can be checked by eye."""

from __future__ import annotations

import pytest

from litellm_prompt_router.authoring.drift.match_modules import match_modules
from tests.made_profiles import module, profile, slot

DATE = slot("date", r"\d{4}-\d{2}-\d{2}", "2026-01-31")
HEAD = "You are a harbour master.\nBe brief with everybody.\n\n"
BERTHS = "# Berths\n\nAsk for the length of the boat.\nAsk for its draught too.\nName the berth and the fee.\n\n"
TIDES = "# Tides\n\nQuote the tables of the day.\nNever guess a height of water.\n\n"
FEES = "# Fees\n\nFees are by the metre, and by the night.\n"
HARBOUR = profile(
    module("head", HEAD), module("berths", BERTHS), module("tides", TIDES), module("fees", FEES), name="harbour"
)
WHOLE = HEAD + BERTHS + TIDES + FEES
PILOTS = "# Pilots\n\nA pilot boards at the outer buoy.\n\n"


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        pytest.param(WHOLE, "head= berths= tides= fees=", id="as it was"),
        pytest.param(HEAD + TIDES + BERTHS + FEES, "head= tides= berths= fees=", id="moved"),
        pytest.param(HEAD + BERTHS + FEES, "head= berths= fees=", id="gone"),
        pytest.param(HEAD + BERTHS + PILOTS + TIDES + FEES, "head= berths= new tides= fees=", id="new"),
        pytest.param(WHOLE + "\n" + PILOTS, "head= berths= tides= fees= new", id="new at the end"),
        pytest.param(PILOTS + WHOLE, "new head= berths= tides= fees=", id="new at the start"),
        pytest.param(WHOLE.replace("its draught", "its beam"), "head= berths tides= fees=", id="a line edited"),
        pytest.param(WHOLE.replace("# Berths", "# Moorings"), "head= berths tides= fees=", id="its heading edited"),
        pytest.param(WHOLE.replace("the fee.", "the price."), "head= berths tides= fees=", id="its last line edited"),
        pytest.param(
            WHOLE.replace("the fee.\n", "the fee.\nAnd smile.\n"), "head= berths tides= fees=", id="a line added"
        ),
        pytest.param(WHOLE.replace(BERTHS, BERTHS + "And smile.\n\n"), "head= berths tides= fees=", id="a line behind"),
        pytest.param("Note this.\n" + WHOLE, "head berths= tides= fees=", id="a line ahead"),
        pytest.param(
            WHOLE.replace("the fee.", "the price.").replace("# Tides", PILOTS + "# Tides"),
            "head= berths new tides= fees=",
            id="edited, then new",
        ),
        pytest.param(
            WHOLE.replace("by the night", "by the week"), "head= berths= tides= fees", id="its only line edited"
        ),
        pytest.param(
            WHOLE.replace("its draught", "its beam").replace("a height", "a depth"),
            "head= berths tides fees=",
            id="neighbours edited",
        ),
        pytest.param(WHOLE.replace("\n", "\r\n"), "head berths tides fees", id="line endings"),
        pytest.param(WHOLE + TIDES, "head= berths= tides= fees= new", id="twice"),
        pytest.param("Something else.\n", "new", id="another prompt"),
        pytest.param(WHOLE.rstrip() + " ", "head= berths= tides= fees", id="white space at the end"),
    ],
)
def test_stretches(prompt: str, expected: str) -> None:
    """``=`` is exact; whatever the owner, the stretches are the prompt."""
    found = match_modules(HARBOUR, prompt)
    names = ["new" if s.module is None else HARBOUR.modules[s.module].id + "=" * s.is_exact for s in found]
    assert " ".join(names) == expected
    assert "".join(prompt[s.start : s.end] for s in found) == prompt


def test_slot_values_are_found_where_they_stand_now() -> None:
    """In a module that is otherwise as it was."""
    dated = profile(module("head", HEAD, "Today is ", DATE, ".\n\n"), module("tides", TIDES), name="dated")
    prompt = TIDES + HEAD + "Today is 2026-11-23.\n\n"
    tides, head = match_modules(dated, prompt)
    assert tides.is_exact
    assert head.is_exact
    [value] = head.values
    assert prompt[value.start : value.end] == "2026-11-23"
