"""What the cost gate made of a request, in lines of at most 100 columns, and the same for JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from litellm_prompt_router.cli.output import percent
from litellm_prompt_router.documents.plurals import many
from litellm_prompt_router.documents.shown_text import one_line
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.gate_explanation import LEFT_ALONE, GateExplanation
from litellm_prompt_router.request.untuned_rule import MIN_DROPPED_SHARE

WIDTH = 100
LABEL_WIDTH = 13


def labelled(label: str, text: str) -> str:
    """``label        text``, wrapped, further lines beneath the text."""
    head = f"{label:<{LABEL_WIDTH}}"
    return textwrap.fill(
        one_line(text),
        WIDTH,
        initial_indent=head,
        subsequent_indent=" " * (LABEL_WIDTH + 2 * text.startswith("- ")),
        break_long_words=False,
        break_on_hyphens=False,
    )


def gate_lines(explained: GateExplanation, profile: Profile) -> Iterator[str]:
    """What was decided, the sizes, what was compared, and where it would turn."""
    yield labelled("cost gate", _decided(explained, profile))
    if explained.ignored_economics is not None:
        yield labelled("", f"the profile's economics have no say: {explained.ignored_economics}")
    yield labelled("sizes", _sizes(explained))
    if explained.rule in ("off", "latest"):
        return
    yield labelled("prices", _prices(explained))
    yield labelled("expected", _expected(explained))
    compared = _compared(explained)
    if compared:
        yield labelled("compared", compared)
        yield labelled("break-even", _break_even(explained))


def gate_for_json(explained: GateExplanation, profile: Profile) -> dict[str, Any]:
    """The same facts."""
    weighing, turning = explained.weighing, explained.break_even
    ids = [module.id for module in profile.modules]
    return {
        "rule": explained.rule,
        "decided": _decided(explained, profile),
        "selected": [ids[number] for number in sorted(explained.selected)],
        "sent": None if explained.sent is None else [ids[number] for number in sorted(explained.sent)],
        "core_tokens": explained.core_tokens,
        "full_tokens": explained.full_tokens,
        "selected_tokens": explained.selected_tokens,
        "sent_tokens": explained.sent_tokens,
        "dropped_tokens": explained.dropped_tokens,
        "min_cache_tokens": explained.min_cache_tokens,
        "cache_read_share": explained.read_share,
        "cache_write_share": explained.write_share,
        "has_known_prices": explained.has_known_prices,
        "expected": {
            "declares_tools": explained.expected.declares_tools,
            "calls_per_message": explained.expected.calls_per_message,
            "knows_later_chances": explained.expected.later_chances is not None,
        },
        "likely_later": [ids[number] for number in sorted(explained.likely)],
        "untuned_rule": {
            "calls": explained.calls,
            "min_dropped_share": round(MIN_DROPPED_SHARE, 4),
            "drops_enough": explained.drops_enough,
            "saved_tokens": weighing.saved,
            "extra_tokens": weighing.extra,
            "cold_tokens": weighing.cold_tokens,
            "pays": explained.pays,
        },
        "break_even": {
            "calls": turning.calls,
            "dropped_tokens": turning.dropped_tokens,
            "cache_read_share": turning.read_share,
        },
        "ignored_economics": explained.ignored_economics,
    }


def _decided(explained: GateExplanation, profile: Profile) -> str:
    match explained.rule:
        case "off":
            return "off in the settings (cost_gate: false), so the selection is sent whatever it costs"
        case "latest":
            return "compares nothing: with placement latest each message gets a prompt of its own"
        case "left_alone":
            return f"leaves every request of {profile.name} as it came; {profile.left_alone}"
        case "everything":
            return "leaves the request as it came: nothing is left out without a fit, so nothing is rewritten"
        case "exact":
            return "sends the selection, as tuned"
        case "bundle":
            return (
                f"sends the smallest tuned bundle that holds the selection: {explained.sent_tokens:,} tokens beside the"
                f" core in place of {explained.selected_tokens:,}, warm because many conversations share them"
            )
        case "every":
            return "sends every module, as tuned: for so large a selection that was the cheapest"
        case "no_tools":
            return (
                "leaves the request as it came: it declares no tools, or a ledger shows hardly more than one call for a"
                " message, and what a later message needs would cost more to write than calls without it save"
            )
        case "low_read_price":
            return "leaves the request as it came: reading the cached prompt costs next to nothing here"
        case "long_cache":
            return "leaves the request as it came: its provider keeps prompts for hours, so the full one stays warm"
        case "likely":
            return (
                f"sends the selection and {many(len(explained.likely), 'more module')} from the start:"
                " later messages are likely to need them"
            )
        case "may_need_all" if explained.sent is None:
            return "leaves the request as it came: nobody knows what later messages need, and so much points to more"
        case "may_need_all":
            return (
                "sends every module: nobody knows what later messages need, and a selection as large as this one"
                " points to most of them"
            )
        case "never_cached":
            return "sends the selection: the full prompt is too short to be cached, so less text is always cheaper"
        case "pays":
            return "sends the selection: it pays even against a full prompt that is always warm"
        case "widened" if not explained.dropped_tokens:
            return "sends every module, as every module is selected"
        case "widened":
            return (
                "sends every module: the selection wouldn't pay, and conversations that send everything share one"
                " prefix with each other"
            )
        case _ if not profile.is_calibrated:
            return "leaves the request as it came: the selection wouldn't pay, and without a fit others select the same"
        case _:
            return "leaves the request as it came: no selection pays here, unless it is the core alone"


def _sizes(explained: GateExplanation) -> str:
    core, selected, full = explained.core_tokens, explained.selected_tokens, explained.full_tokens
    left_out = explained.dropped_tokens
    share = f" ({percent(left_out / full)})" if left_out else ""
    return (
        f"core {core:,} + selected {selected:,} = {core + selected:,} of {full:,} tokens; the selection leaves out"
        f" {left_out:,}{share}"
    )


def _prices(explained: GateExplanation) -> str:
    cached = f"; {explained.min_cache_tokens:,} tokens or more are cached" if explained.min_cache_tokens else ""
    known = "" if explained.has_known_prices else "not known, so taken to be "
    return f"{known}cached {explained.read_share:g}, written {explained.write_share:g} of the input price{cached}"


def _expected(explained: GateExplanation) -> str:
    """What the untuned rule takes the conversation to be."""
    expected = explained.expected
    tools = "tools" if expected.declares_tools else "no tools"
    calls = f"{expected.calls_per_message:g} calls for each message"
    if expected.later_chances is None:
        return f"{tools}; {calls}; what later messages need isn't known (labels or a ledger tell)"
    highest = explained.highest_chance_left_out
    if highest >= 1:
        return f"{tools}; {calls}; a module may be left out however likely it is to be needed later"
    return f"{tools}; {calls}; a module stays out up to a chance of {percent(highest)} of being needed later"


def _compared(explained: GateExplanation) -> str:
    """The untuned rule's inequality with its numbers; empty where it compares nothing."""
    weighed, read, write = explained.weighing, explained.read_share, explained.write_share
    if explained.rule == "never_cached" or explained.rule in LEFT_ALONE:
        return ""
    if not explained.dropped_tokens:
        return "nothing, as every module is selected"
    if not explained.compared_tokens:
        return "nothing, as every module is selected or likely to be needed later"
    is_saving = weighed.pays
    if weighed.cold_tokens is None:
        text = (
            f"so short a prompt isn't cached: {weighed.extra:,.0f} tokens at each call, where reading the full prompt"
            f" costs {read:g} x {explained.full_tokens:,} = {weighed.saved:,.0f}"
        )
    else:
        text = (
            f"{explained.calls:g} calls save {explained.calls:g} x {read:g} x {explained.compared_tokens:,} ="
            f" {weighed.saved:,.0f} tokens;"
            f" writing what nobody shares costs ({write:g} - {read:g}) x {weighed.cold_tokens:,} ="
            f" {weighed.extra:,.0f} more than reading it"
        )
    text += ": cheaper" if is_saving else ": dearer"
    if not explained.drops_enough:
        text += f", and less than {MIN_DROPPED_SHARE:.1%} would be left out"
    if explained.rule in ("left_alone", "exact", "bundle", "every"):
        return f"tuned on traffic, so this has no say: {text}"
    return text


def _break_even(explained: GateExplanation) -> str:
    """Where the selection would begin to be sent."""
    turning = explained.break_even
    ways = []
    if turning.calls is not None:
        ways.append(f"{many(turning.calls, 'call')} a conversation")
    if turning.dropped_tokens is not None:
        ways.append(f"{turning.dropped_tokens:,} tokens left out")
    if turning.read_share is not None and turning.read_share < 1:
        ways.append(f"a cached token at {turning.read_share:g} of the input price")
    if not ways:
        return "none: with this core and these prices the selection never pays"
    return f"the selection pays from {', or '.join(ways)} on, all else as it is"
