"""What conversations turned out to need, as their tool calls show, and what could be left out at all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Literal

from litellm_prompt_router.authoring.called_tools import called_tools
from litellm_prompt_router.authoring.split.roles import role_of
from litellm_prompt_router.files.traffic import RecordedCall
from litellm_prompt_router.onboarding.findings import ProfileSizes
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.profile.topic_pieces import topics_of
from litellm_prompt_router.request.route import closure_of
from litellm_prompt_router.request.types import CHAT, MESSAGES, Request, UnreadableRequestError
from litellm_prompt_router.request.wire import SHAPES

Conversation = tuple[str, str]
"""Whose and which."""


Spared = Literal["tools", "labels", "judged"]
"""What hindsight leaves out where no tool call asks for it: modules with tools; all that labels may take out; that, and
what a person may."""


REPLAYED = (CHAT, MESSAGES)
"""Endpoints whose calls can be replayed."""


def body_shape_of(call: RecordedCall) -> str:
    """The endpoint whose body it has: a call that can be replayed has a chat body, wherever it came to."""
    return CHAT if call.endpoint in REPLAYED else call.endpoint


def request_of(call: RecordedCall) -> Request | None:
    """The call in our types; None where it can't be read."""
    try:
        return SHAPES[body_shape_of(call)].read(call.request)
    except UnreadableRequestError:
        return None


def tools_called(calls: Iterable[RecordedCall]) -> dict[Conversation, frozenset[str]]:
    """The names of the tools that each conversation called, in its history or in an answer."""
    called: defaultdict[Conversation, set[str]] = defaultdict(set)
    for call in calls:
        names = called[call.key, call.conversation]
        request = request_of(call)
        if request is not None:
            names.update(tool for turn in request.turns for tool in turn.tool_calls)
        names.update(called_tools(call.response or {}))
    return {conversation: frozenset(names) for conversation, names in called.items()}


def undecided_modules(profile: Profile) -> frozenset[int]:
    """Modules that are core only until labels show who needs them."""
    return frozenset(number for number, module in enumerate(profile.modules) if module.always and module.until_labelled)


def judged_modules(profile: Profile) -> frozenset[int]:
    """Modules that are always sent for the rules they hold, though their titles name no such thing.

    Labels alone don't take them out. A person who reads them may know requests that do without; that the profile is
    accepted as it is doesn't say so.
    """
    return frozenset(
        number
        for number, module in enumerate(profile.modules)
        if module.always
        and not module.until_labelled
        and role_of((module.title,), (), module.text, is_first=number == 0) is None
    )


def modules_to_ask_for(profile: Profile) -> tuple[int, ...]:
    """Those that a label may name: all that could be left out once somebody says who needs them."""
    undecided = undecided_modules(profile) | judged_modules(profile)
    return tuple(number for number, module in enumerate(profile.modules) if not module.always or number in undecided)


def topics_to_ask_for(profile: Profile) -> tuple[int, ...]:
    """The same as a person sees them: of a topic in several pieces the first."""
    topics = topics_of(profile.modules)
    return tuple(sorted({topics[number] for number in modules_to_ask_for(profile)}))


def needs_by_conversation(
    profile: Profile, called: Mapping[Conversation, frozenset[str]], spares: Spared
) -> dict[Conversation, frozenset[int]]:
    """What each conversation needed: what is not spared, and what owns a tool that it called, with all they require."""
    spared = {number for number, module in enumerate(profile.modules) if not module.always}
    spared |= undecided_modules(profile)
    if spares == "tools":
        spared = {number for number in spared if profile.modules[number].tools}
    elif spares == "judged":
        spared |= judged_modules(profile)

    def needed_for(tools: frozenset[str]) -> frozenset[int]:
        needed: set[int] = set()
        for number, module in enumerate(profile.modules):
            if number not in spared or tools & frozenset(module.tools):
                needed |= {number, *closure_of(number, profile)}
        return frozenset(needed)

    known = {tools: needed_for(tools) for tools in set(called.values())}
    return {conversation: known[tools] for conversation, tools in called.items()}


def sizes_of(profile: Profile, warnings: int) -> ProfileSizes:
    undecided, judged = undecided_modules(profile), judged_modules(profile)
    optional = frozenset(number for number, module in enumerate(profile.modules) if not module.always)
    tokens = [module.tokens for module in profile.modules]
    return ProfileSizes(
        modules=len(tokens),
        tokens=sum(tokens),
        chars=len(profile.text),
        core_tokens=sum(size for number, size in enumerate(tokens) if number not in optional | undecided | judged),
        optional_tokens=sum(tokens[number] for number in optional),
        undecided_tokens=sum(tokens[number] for number in undecided),
        judged_tokens=sum(tokens[number] for number in judged),
        judged_modules=len(judged),
        optional_modules=len(optional),
        undecided_modules=len(undecided),
        untraceable_tokens=sum(tokens[number] for number in optional | undecided if not profile.modules[number].tools),
        is_reviewed=profile.reviewed,
        is_fitted=profile.fitted is not None,
        warnings=warnings,
    )
