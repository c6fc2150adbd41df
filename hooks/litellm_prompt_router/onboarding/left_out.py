"""What a profile would leave out of which of the owner's own messages, on the wire, behind the cost gate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from litellm_prompt_router.files.traffic import RecordedCall
from litellm_prompt_router.onboarding.conversation_needs import body_shape_of
from litellm_prompt_router.onboarding.findings import LeftOut, MessageLeftOut, ModuleLeftOut
from litellm_prompt_router.onboarding.replayed_costs import WalkSettings
from litellm_prompt_router.profile.agents import EVERY_AGENT
from litellm_prompt_router.profile.profile import Ignore, Profile
from litellm_prompt_router.request.pipeline import Pipeline
from litellm_prompt_router.request.route.own_words import own_words
from litellm_prompt_router.request.types import Request, Rewritten
from litellm_prompt_router.request.wire.declared_tools import tool_names

SHOWN = 15
SHOWN_ALIKE = 3
"""Messages shown that would lose the same modules."""
TEXT_CHARS = 240


def left_out_of(
    calls: Sequence[RecordedCall],
    profile: Profile,
    walked_with: WalkSettings,
    watch: Callable[[Sequence[RecordedCall]], Iterable[RecordedCall]],
) -> LeftOut:
    """Every call that opens with the user's own words, through the walk as the proxy does it."""
    pipeline = Pipeline(
        [profile],
        walked_with.count_tokens,
        coverage_floor=walked_with.coverage_floor,
        adds_marks=True,
        gates_cost=True,
    )
    ignore = EVERY_AGENT.with_(profile.ignore)
    counted: Counter[tuple[str, tuple[ModuleLeftOut, ...]]] = Counter()
    kept: Counter[str] = Counter()
    always_declared = {number for number, module in enumerate(profile.modules) if module.tools and not module.always}
    messages = 0
    for call in watch(calls):
        walked = pipeline.walk(call.request, body_shape_of(call), lambda: walked_with.target)
        text = _latest_words(walked.request, ignore)
        outcome = walked.outcome
        if text is None or (not isinstance(outcome, Rewritten) and outcome.recognition is None):
            continue
        messages += 1
        declared = set(tool_names(call.request))
        always_declared = {number for number in always_declared if declared & set(profile.modules[number].tools)}
        if not isinstance(outcome, Rewritten):
            kept[outcome.reason] += 1
            continue
        present = {span.module for span in outcome.recognition.spans if span.kind == "module"}
        sent = set(outcome.decision.modules)
        modules = [profile.modules[number] for number in sorted(present)]
        lost = tuple(ModuleLeftOut(id=each.id, tokens=each.tokens) for each in modules if each.id not in sent)
        counted[_shortened(text), lost] += 1
    losing = [
        MessageLeftOut(text=text, modules=modules, calls=number)
        for (text, modules), number in counted.items()
        if modules
    ]
    losing.sort(key=lambda one: (-one.tokens, one.text))
    return LeftOut(
        messages=messages,
        losing=sum(one.calls for one in losing),
        shown=tuple(_varied(losing)),
        kept_whole=tuple(kept.most_common()),
        declared_tokens=sum(profile.modules[number].tokens for number in always_declared) if messages else 0,
    )


def _varied(losing: Iterable[MessageLeftOut]) -> list[MessageLeftOut]:
    """The first ones, without too many that would lose the same."""
    alike: Counter[tuple[ModuleLeftOut, ...]] = Counter()
    shown: list[MessageLeftOut] = []
    for one in losing:
        alike[one.modules] += 1
        if alike[one.modules] <= SHOWN_ALIKE and len(shown) < SHOWN:
            shown.append(one)
    return shown


def _latest_words(request: Request | None, ignore: Ignore) -> str | None:
    """The user's own words, where they are what the call is about; None in a tool loop."""
    turn = request.turns[-1] if request is not None and request.turns else None
    return own_words(turn, ignore).text if turn is not None and turn.role == "user" else None


def _shortened(text: str) -> str:
    line = " ".join(text.split()).encode("utf-8", "backslashreplace").decode()
    return line if len(line) <= TEXT_CHARS else f"{line[: TEXT_CHARS - 1]}…"
