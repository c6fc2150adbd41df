"""Real messages for a person to label: each once, with what was called for it as a suggestion."""

from __future__ import annotations

from collections.abc import Iterable

from litellm_prompt_router.authoring.called_tools import called_tools
from litellm_prompt_router.authoring.fit.traffic_labels import cases_of
from litellm_prompt_router.files.labelled_messages import Case
from litellm_prompt_router.files.traffic import RecordedCall
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.recognise import Catalogue
from litellm_prompt_router.request.types import Turn, UnreadableRequestError
from litellm_prompt_router.request.wire import SHAPES

CATEGORY = "by hand"
MessageKey = tuple[tuple[str, ...], str]
"""Earlier user messages, and the message."""


def key_of(case: Case) -> MessageKey:
    return case.history, case.text


def cases_to_label(calls: Iterable[RecordedCall], profile: Profile, floor: float) -> tuple[Case, ...]:
    """The user messages sent with this profile's prompt, in order of first appearance. ``needs`` is a suggestion.

    ``floor``: the share of a prompt that the profile must cover.
    """
    catalogue = Catalogue([profile])
    known: dict[str, bool] = {}
    found: dict[MessageKey, Case] = {}
    for call in calls:
        shape = SHAPES.get(call.endpoint)
        try:
            request = shape.read(call.request) if shape is not None else None
        except UnreadableRequestError:
            continue
        if request is None or not request.system:
            continue
        text = request.system_text
        if text not in known:
            recognition = catalogue.recognise(text)
            known[text] = recognition is not None and recognition.coverage >= floor
        if not known[text]:
            continue
        answer = Turn(role="assistant", text="", tool_calls=tuple(called_tools(call.response or {})))
        for case in cases_of((*request.turns, answer), profile):
            before = found.get(key_of(case))
            needs = dict.fromkeys((*(before.needs if before else ()), *case.needs))
            first = before or case
            found[key_of(case)] = first.model_copy(update={"needs": tuple(needs), "category": CATEGORY})
    return tuple(found.values())
