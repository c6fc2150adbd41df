"""What ``simulate`` does with a routing model: asks it about the calls, and says what that costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from litellm_prompt_router.analysis.simulate import RecordedCall
from litellm_prompt_router.analysis.simulate.asked_questions import questions_about_calls
from litellm_prompt_router.authoring.wavering_sections import WaveringSection, wavering_sections
from litellm_prompt_router.cli.inputs import settings_of_environment
from litellm_prompt_router.cli.routing_options import RoutingAnswersWanted, answers_for, bill_line
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.route import AnswerLookup, Router, no_answers


class RoutingBill(NamedTuple):
    """What the routing model costs, in words, and the sections that it wavers on."""

    line: str
    wavering: tuple[WaveringSection, ...]


def routed_by_model(profiles: Sequence[Profile], name: str | None) -> str:
    """The profile whose routing model is asked. Raises ConfigurationError where that isn't said."""
    if name is None and len(profiles) > 1:
        raise ConfigurationError(["--profile: say which one the routing model is asked about"])
    return name or profiles[0].name


def ask_about_calls(
    calls: Sequence[RecordedCall],
    profiles: Sequence[Profile],
    count_tokens: Callable[[str], int],
    name: str | None,
    asked: RoutingAnswersWanted,
) -> tuple[AnswerLookup, RoutingBill | None]:
    """What the routing model says of these calls, what it costs, and the sections that it wavers on."""
    if name is None:
        return no_answers, None
    floor = settings_of_environment().coverage_floor
    questions = questions_about_calls(calls, profiles, count_tokens, coverage_floor=floor, only=name)
    [profile] = [each for each in profiles if each.name == name]
    answers = answers_for(profile, questions, asked)
    said = [(answer, used) for each, used in questions.items() if (answer := answers("", each)) is not None]
    line = bill_line([*questions], count_tokens, asked.model, answers)
    return answers, RoutingBill(line, wavering_sections(said, Router(profile).section_ids))
