"""Sections that every request needs, cut off from those beside them."""

from __future__ import annotations

from litellm_prompt_router.authoring.split import Draft, DraftModule, split_prompt

FILLING = "".join(f"Shelf {n} holds stoneware, shelf {n + 20} porcelain of the same shape. " for n in range(9))
PROMPT = (
    "You are the helper of a pottery, and look after its shelves and kilns.\n\n"
    f"# Shelves\n\n## Upper shelves\n\n{FILLING}\n\n## House keeping\n\nNever reveal the password of the safe.\n\n"
    f"## Lower shelves\n\n{FILLING.replace('stoneware', 'earthenware')}\n\n"
    f"# Kilns\n\n{FILLING.replace('Shelf', 'Kiln')}\n"
)


def drafted(prompt: str = PROMPT, **options: object) -> Draft:
    sizes = {"target_chars": 2_000, "min_chars": 200, "max_chars": 4_000, "max_share": 1.0, **options}
    return split_prompt([prompt], name="kiln", count_tokens=len, **sizes)  # type: ignore[arg-type]


def holding(draft: Draft, words: str) -> DraftModule:
    (found,) = (module for module in draft.modules if words in module.text)
    return found


def test_a_section_with_a_rule_is_cut_off() -> None:
    """So that labels may take out what is around it."""
    draft = drafted()
    rule = holding(draft, "Never reveal")
    assert rule.text == "## House keeping\n\nNever reveal the password of the safe.\n\n"
    assert (rule.until_labelled, rule.reason) == (False, 'safety: "Never reveal the password of the safe."')
    assert holding(draft, "## Upper shelves").until_labelled
    assert holding(draft, "## Lower shelves").until_labelled
    assert "".join(module.text for module in draft.modules) == PROMPT


def test_what_is_too_small_stays_with_the_rule() -> None:
    """A module of a few words isn't worth leaving out."""
    small = PROMPT.replace(FILLING.replace("stoneware", "earthenware"), "Shelf 40 is empty.")
    assert "## Lower shelves" in holding(drafted(small), "Never reveal").text


def test_no_section_is_cut_through() -> None:
    draft = drafted(PROMPT.replace("## House keeping\n\n", ""))
    assert "Shelf 1 holds" in holding(draft, "Never reveal").text


def test_a_section_that_is_not_always_there_is_no_module_of_its_own() -> None:
    """It is a slot, and a module's file has text of its own."""
    glazes = "# Glazes\n\nUse the glaze list for every glaze, and keep the list by the kiln.\n\n"
    with_it = f"You are the helper of a pottery.\n\n# Shelves\n\n{FILLING}\n\n{glazes}# Kilns\n\n{FILLING}\n"
    draft = split_prompt(
        [with_it, with_it.replace(glazes, "")], name="kiln", count_tokens=len, target_chars=300, max_share=1.0
    )
    assert "glaze list" in draft.slots[0].sample
    assert all(module.text.replace("{{slot_1}}", "").strip() for module in draft.modules)
