"""Which messages are worth asking about first, and which modules are offered first, with nothing learned yet."""

from __future__ import annotations

from litellm_prompt_router.files.labelled_messages import Case
from litellm_prompt_router.onboarding.label_order import (
    CaseToLabel,
    cases_with_scores,
    most_uncertain_first,
    texts_to_compare,
)
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.route import MessageEmbedding
from litellm_prompt_router.request.route.embeddings import embedded_part
from tests.emulators.embeddings import vector_of
from tests.made_profiles import module, profile

PROFILE = profile(
    module("core", "You are a careful helper.\n", always=True),
    module("tables", "Tables and spreadsheets: columns, rows, sums of a column, charts of rows.\n"),
    module("mail", "Letters by mail: the address, the recipient, an attachment to a letter.\n"),
    module("travel", "Trains and flights: a ticket, a seat, departure and arrival at the station.\n"),
)
ASKED = (1, 2, 3)
TABLE, MAIL, BOTH, TRAIN, THANKS, YES = (
    Case(text="sum the rows of this column in the spreadsheet", needs=()),
    Case(text="write a letter to the recipient at this address", needs=()),
    Case(text="put the sums of the column into a letter for the recipient", needs=()),
    Case(text="when is the departure from the station, and is a seat left", needs=()),
    Case(text="thanks!", needs=()),
    Case(text="yes, go on", history=("sum the rows",), needs=()),
)
CASES = (THANKS, TABLE, YES, MAIL, BOTH, TRAIN)


def found(cases: tuple[Case, ...] = CASES, of: Profile = PROFILE) -> dict[str, CaseToLabel]:
    return {one.case.text: one for one in cases_with_scores(of, ASKED, cases)}


def test_modules_whose_texts_resemble_the_message_come_first() -> None:
    best = {text: one.best_first()[0] for text, one in found().items()}
    assert [best[case.text] for case in (TABLE, MAIL, TRAIN)] == [0, 1, 2]
    assert set(found()[BOTH.text].best_first()[:2]) == {0, 1}


def test_the_most_doubtful_of_each_module_come_first_and_small_talk_last() -> None:
    """No module waits until another one's messages are done."""
    cases = cases_with_scores(PROFILE, ASKED, CASES)
    order = [one.case.text for one in most_uncertain_first(cases)]
    assert sorted(order) == sorted(case.text for case in CASES)
    assert set(order[-2:]) == {THANKS.text, YES.text}
    assert order.index(BOTH.text) < order.index(TABLE.text)
    assert {found()[text].best_first()[0] for text in order[:3]} == {0, 1, 2}
    assert found()[BOTH.text].doubt > found()[TABLE.text].doubt >= 0
    assert found()[THANKS.text].doubt < 0


def test_the_order_depends_on_nothing_else() -> None:
    """Neither on the order of the file nor on what the messages' labels suggest."""
    turned = tuple(reversed([case.model_copy(update={"needs": ("mail",)}) for case in CASES]))
    first, second = (
        [one.case.text for one in most_uncertain_first(cases_with_scores(PROFILE, ASKED, cases))][:4]
        for cases in (CASES, turned)
    )
    assert first == second


def test_meaning_speaks_beside_words() -> None:
    """A message without one word of the module's text finds it by what its vector says."""
    foreign = Case(text="Wann fährt der Zug?", needs=())
    cases = (*CASES, foreign)
    texts = texts_to_compare(PROFILE, ASKED, cases)
    assert len(texts) == len(set(texts))
    vectors = {text: MessageEmbedding.of(vector_of(text)) for text in texts}
    like_travel = MessageEmbedding.of(vector_of(PROFILE.modules[3].text))
    known = {text: vector for text, vector in vectors.items() if vector is not None}
    assert like_travel is not None
    known[embedded_part(foreign.text)] = like_travel
    by_meaning = cases_with_scores(PROFILE, ASKED, cases, known)
    assert by_meaning[-1].best_first()[0] == 2
    assert [one.best_first()[0] for one in by_meaning if one.case in (TABLE, MAIL, TRAIN)] == [0, 1, 2]
    without = {text: vector for text, vector in known.items() if text != embedded_part(foreign.text)}
    assert cases_with_scores(PROFILE, ASKED, cases, without)[1].best_first()[0] == 0


def test_few_messages_and_few_modules() -> None:
    """One message, one module, none at all: an order of what is there."""
    [alone] = cases_with_scores(PROFILE, ASKED, (MAIL,))
    assert alone.best_first()[0] == 1
    [single] = cases_with_scores(PROFILE, (2,), (MAIL,))
    assert (single.best_first(), single.doubt) == ((0,), 1.0)
    assert cases_with_scores(PROFILE, ASKED, ()) == ()
    assert most_uncertain_first(()) == ()
