"""The report's figures worked out record by record in plain Python, from what docs/report.md says of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

Call = Mapping[str, Any]
TOKENS = ("uncached_input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
SIDE_CALLS = ("unrecognised", "no_system_prompt")
MONEY = ("billed_usd", "estimated_net_saved_usd", "routing_model_usd", "list_price_saved_usd")


def plain_figures(records: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What ``Figures`` says of the records, by its names; money that nobody knows is None."""
    calls = [_call(record) for record in records]
    talks = _talks(calls)
    real = [talk for talk in talks if not talk["is_shadow"] and talk["nets"]]
    nets = sorted(sum(talk["nets"]) for talk in real)
    priced = [talk for talk in talks if talk["bills"]]
    priced_units = len({talk["unit"] for talk in priced})
    costs = sum((sum(talk["bills"]) + sum(talk["routing"]) for talk in priced), Decimal(0))
    decisions = sorted(call["decision_us"] for call in calls if call["decision_us"] is not None)
    passed = [call for call in calls if call["outcome"] == "passthrough"]
    held = [{**call, "profile": call["profile"] or "(none)"} for call in calls if call["reason"] == "unreviewed"]
    return {
        "since_seconds": min(call["finished_seconds"] for call in calls),
        "until_seconds": max(call["finished_seconds"] for call in calls),
        "actual": _sums([call for call in calls if not call["is_shadow"]]),
        "would": _sums([call for call in calls if call["is_shadow"]]),
        "groups": _groups(calls, lambda call: call["model_name"]),
        "timeline": _groups(calls, lambda call: int(call["finished_seconds"] // 86_400)),
        "conversations": len({talk["unit"] for talk in talks}),
        "loose_calls": sum(call["unit"] is None for call in calls),
        "cost_per_conversation_usd": costs / priced_units if priced_units else None,
        "losses": [net for net in nets[:10] if net < 0],
        "gains": [net for net in nets[::-1][:10] if net > 0],
        "modules": _modules(calls),
        "missed_needs": _missed(calls),
        "outcomes": _counted(calls, "outcome"),
        "passthroughs": _counted(passed, "reason"),
        "held_back": _counted(held, "profile"),
        "errors": _counted([call for call in calls if call["status"] == "failure"], "error_type"),
        "net_unavailable": _counted(
            [
                call
                for call in calls
                if call["estimated_net_saved_usd"] is None and call["outcome"] not in (None, "passthrough")
            ],
            "estimated_net_saved_reason",
        ),
        "decision_p50_us": _quantile(decisions, 50),
        "decision_p99_us": _quantile(decisions, 99),
        "arms": Counter(talk["arm"] for talk in talks if talk["arm"] is not None),
        "unpriced": sum(
            talk["arm"] is not None and (talk["unbilled"] > 0 or not talk["bills"]) for talk in talks
        ),
    }  # fmt: skip


def _call(record: Mapping[str, Any]) -> dict[str, Any]:
    call: dict[str, Any] = defaultdict(lambda: None, record)
    for name in MONEY:
        call[name] = None if call[name] is None else Decimal(call[name])
    key_hash = call["key_hash"]
    key = call["key_alias"] or (f"key_{key_hash[:8]}" if key_hash is not None else "(no key)")
    is_side_call = call["profile"] is None or call["reason"] in SIDE_CALLS
    conversation = None if is_side_call else call["conversation"]
    return (
        call
        | {
            "unit": None if conversation is None else (key, conversation),
            "model_name": call["model"] or call["model_group"] or "(none)",
            "is_shadow": call["outcome"] == "shadow",
            "is_failure": call["status"] == "failure",
            "sent_chars": call["prompt_chars"] if call["outcome"] == "rewritten" else call["original_chars"],
        }
        | {name: call[name] for name in ("decision_us", "outcome", "reason", "profile", "status", "arm", "modules")}
    )


def _sums(calls: Sequence[Call]) -> dict[str, Any] | None:
    if not calls:
        return None

    def total(name: str, of: Iterable[Call] = calls) -> Any:
        return sum(call.get(name) or 0 for call in of)

    def usd(name: str, of: Iterable[Call] = calls) -> Decimal | None:
        known = [call[name] for call in of if call[name] is not None]
        return sum(known, Decimal(0)) if known else None

    def has(*names: str) -> list[Call]:
        return [call for call in calls if all(call.get(name) is not None for name in names)]

    sized, parts = has("original_chars", "prompt_chars"), has("sent_chars", "tools_chars", "history_chars")
    compared = has("counterfactual_cache_read_tokens", "cache_read_tokens")
    assumed = [call for call in calls if (call.get("estimated_net_saved_method") or "").startswith("assumed")]
    beside = [call for call in calls if call["estimated_net_saved_usd"] is None]
    routing = usd("routing_model_usd")
    return {
        "calls": len(calls),
        "failures": sum(call["is_failure"] for call in calls),
        "rewritten": sum(call["outcome"] == "rewritten" for call in calls),
        "fallbacks": sum(bool(call.get("is_fallback")) for call in calls),
        **{name: total(name) for name in (*TOKENS, "output_tokens")},
        "billed_usd": usd("billed_usd"),
        "billed_calls": len(has("billed_usd")),
        "unbilled_calls": sum(call["billed_usd"] is None and not call["is_failure"] for call in calls),
        "net_saved_usd": usd("estimated_net_saved_usd"),
        "net_calls": len(has("estimated_net_saved_usd")),
        "assumed_net_usd": usd("estimated_net_saved_usd", assumed),
        "assumed_calls": sum(call["estimated_net_saved_usd"] is not None for call in assumed),
        "routing_model_usd": routing,
        "routing_beside_net_usd": None if routing is None else usd("routing_model_usd", beside) or Decimal(0),
        "routing_model_call_count": total("routing_model_call_count"),
        "routing_unpriced": sum(
            (call.get("routing_model_call_count") or 0) > 0 and call["routing_model_usd"] is None for call in calls
        ),
        "list_saved_usd": usd("list_price_saved_usd"),
        "sized_calls": len(sized),
        "original_chars": total("original_chars", sized),
        "prompt_chars": total("prompt_chars", sized),
        "parts_calls": len(parts),
        "part_prompt_chars": total("sent_chars", parts),
        "part_tools_chars": total("tools_chars", parts),
        "part_history_chars": total("history_chars", parts),
        "compared_input_tokens": sum(total(name, compared) for name in TOKENS),
        "compared_read_tokens": total("cache_read_tokens", compared),
        "without_input_tokens": sum(total(f"counterfactual_{name}", compared) for name in TOKENS),
        "without_read_tokens": total("counterfactual_cache_read_tokens", compared),
    }


def _groups(calls: Sequence[Call], by: Callable[[Call], Any]) -> dict[Any, tuple[Any, Any]]:
    found: dict[Any, tuple[list[Call], list[Call]]] = {}
    for call in calls:
        found.setdefault(by(call), ([], []))[call["is_shadow"]].append(call)
    return {name: (_sums(actual), _sums(would)) for name, (actual, would) in found.items()}


def _talks(calls: Sequence[Call]) -> list[dict[str, Any]]:
    found: dict[Any, dict[str, Any]] = {}
    for call in calls:
        if call["unit"] is None:
            continue
        new = {"unit": call["unit"], "is_shadow": call["is_shadow"], "arm": call["arm"], "unbilled": 0}
        talk = found.setdefault(tuple(new.values())[:3], new | {"nets": [], "bills": [], "routing": []})
        for name, values in zip(MONEY, ("bills", "nets", "routing"), strict=False):
            talk[values] += [] if call[name] is None else [call[name]]
        talk["unbilled"] += call["billed_usd"] is None and not call["is_failure"]
    return list(found.values())


def _modules(calls: Sequence[Call]) -> dict[str, dict[str, Any]]:
    routed = [call for call in calls if call["modules"]]
    found: dict[str, dict[str, Any]] = {}
    for call in routed:
        for use in call["modules"]:
            module = found.setdefault(use["id"], {"calls": 0, "late": 0, "missed": 0, "evidence": Counter()})
            module["calls"] += 1
            module["evidence"][use["evidence"]] += 1
            module["late"] += use["late"]
            module["missed"] += use["late"] and use["evidence"] == "tool_call"
    return {name: module | {"share": module["calls"] / len(routed)} for name, module in found.items()}


def _missed(calls: Sequence[Call]) -> list[tuple[bool, int, int]]:
    by_model: dict[Any, bool] = {}
    missed: dict[Any, bool] = {}
    for call in calls:
        unit = call["unit"]
        if unit is not None and call["modules"]:
            kinds = [(use["evidence"], use["late"]) for use in call["modules"]]
            by_model[unit] = by_model.get(unit, False) or any(kind == "model" for kind, _ in kinds)
            missed[unit] = missed.get(unit, False) or ("tool_call", True) in kinds
    sides = {side: [unit for unit in by_model if by_model[unit] == side] for side in (True, False)}
    return [(side, len(units), sum(missed[unit] for unit in units)) for side, units in sides.items() if units]


def _counted(calls: Iterable[Call], name: str) -> dict[str, int]:
    return dict(Counter(call.get(name) or "unknown" for call in calls))


def _quantile(ordered: Sequence[int], percent: int) -> int | None:
    return ordered[-(-len(ordered) * percent // 100) - 1] if ordered else None
