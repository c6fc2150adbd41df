"""What conversations turned out to need, as their tool calls show, and what could be left out at all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from litellm_prompt_router.authoring.called_tools import called_tools
from litellm_prompt_router.files.traffic import RecordedCall
from litellm_prompt_router.onboarding.findings import ProfileSizes
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.route import closure_of
from litellm_prompt_router.request.types import CHAT, Request, UnreadableRequestError
from litellm_prompt_router.request.wire import SHAPES

Conversation = tuple[str, str]
"""Whose and which."""


def request_of(call: RecordedCall) -> Request | None:
    """A call that can be replayed, in our types; None where it can't be read."""
    try:
        return SHAPES[CHAT].read(call.request)
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


def modules_to_ask_for(profile: Profile) -> tuple[int, ...]:
    """Those that a label may name: all that could be left out once somebody says who needs them."""
    undecided = undecided_modules(profile)
    return tuple(number for number, module in enumerate(profile.modules) if not module.always or number in undecided)


def needs_by_conversation(
    profile: Profile, called: Mapping[Conversation, frozenset[str]], *, spares_untraceable: bool
) -> dict[Conversation, frozenset[int]]:
    """What is surely core and what owns a tool that the conversation called, with all that these require.

    ``spares_untraceable``: what owns no tools is left out, too, unless it is surely core.
    """
    undecided = undecided_modules(profile)

    def needed_for(tools: frozenset[str]) -> frozenset[int]:
        needed: set[int] = set()
        for number, module in enumerate(profile.modules):
            is_core = module.always and number not in undecided
            is_kept = not module.tools and not spares_untraceable
            if is_core or is_kept or tools & frozenset(module.tools):
                needed |= {number, *closure_of(number, profile)}
        return frozenset(needed)

    known = {tools: needed_for(tools) for tools in set(called.values())}
    return {conversation: known[tools] for conversation, tools in called.items()}


def sizes_of(profile: Profile, warnings: int) -> ProfileSizes:
    undecided = undecided_modules(profile)
    optional = frozenset(number for number, module in enumerate(profile.modules) if not module.always)
    tokens = [module.tokens for module in profile.modules]
    return ProfileSizes(
        modules=len(tokens),
        tokens=sum(tokens),
        chars=len(profile.text),
        core_tokens=sum(size for number, size in enumerate(tokens) if number not in optional | undecided),
        optional_tokens=sum(tokens[number] for number in optional),
        undecided_tokens=sum(tokens[number] for number in undecided),
        optional_modules=len(optional),
        undecided_modules=len(undecided),
        untraceable_tokens=sum(tokens[number] for number in optional | undecided if not profile.modules[number].tools),
        is_reviewed=profile.reviewed,
        is_fitted=profile.fitted is not None,
        warnings=warnings,
    )
