"""Single fields of a profile.yaml, changed without touching anything else."""

from __future__ import annotations

import pytest

from litellm_prompt_router.files.profile_fields import with_field, with_module_fields

RAW = """\
# The harbour's agent
profile: toy
version: '1'   # of March
reviewed: false  # nobody has looked at it
modules:
  - id: core
    file: core.txt
    title: Core
    always: true
  # what the tide does
  - id: tides
    file: tides.txt
    title: "Tides"
    always: true
    until_labelled: true
    tools: [tide_table]  # one only
"""


def test_a_top_level_field_changes_alone() -> None:
    assert with_field(RAW, "reviewed", True) == RAW.replace("reviewed: false", "reviewed: true")


def test_fields_of_a_module_change_and_go() -> None:
    """A new one stands ahead of what it requires, its triggers, examples and tools."""
    wanted = {"tides": {"always": None, "until_labelled": None, "evidence": "3 of 9 labelled messages need it"}}
    changed = with_module_fields(RAW, wanted)
    assert changed == RAW.replace(
        "    always: true\n    until_labelled: true\n", "    evidence: 3 of 9 labelled messages need it\n"
    )


def test_what_can_not_be_changed_without_a_loss_is_not_changed() -> None:
    lost = RAW.replace("    until_labelled: true\n", "    until_labelled: true  # ask Ada\n")
    with pytest.raises(ValueError, match="can't be changed without a loss"):
        with_module_fields(
            lost.replace(
                "    until_labelled: true  # ask Ada\n", "    # ask Ada\n    until_labelled: true\n    # and Bob\n"
            ),
            {"tides": {"until_labelled": None}},
        )
