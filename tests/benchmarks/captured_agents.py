"""What unedited drafts of real agents leave out on the wire: before a review, after one, and with other tools.

    python -m tests.benchmarks.captured_agents TRAFFIC.jsonl ...

Each TRAFFIC.jsonl is one agent's calls as ``capture`` writes them. The agent is learnt from it, and every call goes
twice through a real LiteLLM proxy to an emulated provider: by a key that rewrites and by one that is off, with the cost
gate off, so that all that may be left out is. "Before the review" counts calls whose bodies at the provider are the
same, byte for byte. "After it" looks at what is missing from the system text with ``review --accept`` and no fit: every
module gone must own tools, none of which the call declares; no character that isn't a gone module's may be missing; and
all that isn't system text must be the same. "Other tools" takes each module's tools out of a conversation's first call,
and then all tools. "Begin as the call before" counts the calls whose system text begins as that of the call
before in their conversation, without marks. Ends with 1 where anything doesn't hold.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from click.testing import CliRunner
from rich.console import Console
from rich.table import Table

from litellm_prompt_router.cli import main as prompt_router
from litellm_prompt_router.files.load import load_profiles
from litellm_prompt_router.files.traffic import RecordedCall, read_traffic
from litellm_prompt_router.profile.profile import Module, Profile
from litellm_prompt_router.profile.tokens import token_counter
from tests.agents.stage import tools_of
from tests.benchmarks.call_pairs import Bench, Pair, running_bench
from tests.benchmarks.wire_text import other_parts_of, system_text_of

NAMED = 6
"""Modules named in a cell; the rest is counted."""


def without_tools(call: RecordedCall, dropped: frozenset[str]) -> RecordedCall:
    """The call without these tools; without any where ``dropped`` holds all that it declares."""
    request = dict(call.request)
    kept = [tool for tool in request["tools"] if not tools_of({"tools": [tool]}) & dropped]
    request["tools"] = kept
    if not kept:
        request = {name: value for name, value in request.items() if name not in ("tools", "tool_choice")}
    return RecordedCall(
        line=call.line,
        at_seconds=call.at_seconds,
        key=call.key,
        conversation=call.conversation,
        request=request,
        endpoint=call.endpoint,
    )


def literals_of(module: Module) -> list[str]:
    return [part.strip() for part in module.parts if isinstance(part, str) and part.strip()]


def characters(text: str) -> Counter[str]:
    """Without white space, which may move where modules are joined."""
    return Counter("".join(text.split()))


def missing_modules(profile: Profile, pair: Pair) -> list[Module]:
    """Those whose literal text is in what the client sent, and not in what the provider got."""
    before, after = system_text_of(pair.off.json), system_text_of(pair.on.json)
    return [
        module
        for module in profile.modules
        if any(before.count(literal) > after.count(literal) for literal in literals_of(module))
    ]


@dataclass(kw_only=True, slots=True)
class Findings:
    """What came of one agent: rows of the table, and what doesn't hold."""

    rows: list[tuple[str, str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def add(self, what: str, figure: object) -> None:
        self.rows.append((what, str(figure)))


def before_review(pairs: Sequence[Pair], findings: Findings) -> None:
    same = [pair.on.body == pair.off.body for pair in pairs]
    findings.add("before the review: bodies identical", f"{sum(same)} of {len(pairs)}")
    decided = Counter(str(pair.record["policy"]) if pair.is_agents else "side call" for pair in pairs)
    findings.add("before the review: what decided", ", ".join(f"{name} {n}" for name, n in decided.most_common()))
    findings.faults += [
        f"line {pair.call.line}: not identical" for pair, is_same in zip(pairs, same, strict=True) if not is_same
    ]
    held = [pair for pair in pairs if pair.is_agents and pair.record["policy"] != "unreviewed"]
    findings.faults += [f"line {pair.call.line}: held back by {pair.record['policy']}" for pair in held]
    findings.faults += [] if any(pair.is_agents for pair in pairs) else ["no call was recognised"]


def judge(profile: Profile, pair: Pair) -> tuple[list[Module], list[str]]:
    """The modules that are missing from a rewritten call, and what in it doesn't hold."""
    missing = missing_modules(profile, pair)
    declared = tools_of(pair.off.json)
    faults = [
        f"line {pair.call.line}: {module.id} is missing, whose tools are {', '.join(module.tools) or 'none'}"
        for module in missing
        if not module.tools or set(module.tools) & declared or not declared
    ]
    before, after = characters(system_text_of(pair.off.json)), characters(system_text_of(pair.on.json))
    gone = characters("".join(literal for module in missing for literal in literals_of(module)))
    if before - after != gone:
        lost = (before - after) - gone
        faults.append(f"line {pair.call.line}: {lost.total():,} characters missing that are no gone module's")
    if after - before:
        faults.append(f"line {pair.call.line}: {(after - before).total():,} characters that the client didn't send")
    if other_parts_of(pair.off.json) != other_parts_of(pair.on.json):
        faults.append(f"line {pair.call.line}: something other than system text differs")
    return missing, faults


def named(counts: Counter[str]) -> str:
    shown = ", ".join(f"{name} {n}" for name, n in counts.most_common(NAMED))
    return shown + (f" and {len(counts) - NAMED} more" if len(counts) > NAMED else "")


def after_review(profile: Profile, pairs: Sequence[Pair], findings: Findings) -> None:
    rewritten = [pair for pair in pairs if pair.record["outcome"] == "rewritten"]
    others = [pair for pair in pairs if pair.record["outcome"] != "rewritten"]
    judged = [judge(profile, pair) for pair in rewritten]
    modules = Counter(module.id for missing, _ in judged for module in missing)
    short = sum(bool(missing) for missing, _ in judged)
    reasons = Counter(f"{pair.record['outcome']}: {pair.record['reason']}" for pair in others)
    findings.add("after the review: rewritten", f"{len(rewritten)} of {len(pairs)}")
    if others:
        same = sum(pair.on.body == pair.off.body for pair in others)
        findings.add("after the review: the others", f"{named(reasons)}; bodies identical {same} of {len(others)}")
        findings.faults += [
            f"line {p.call.line}: not rewritten, not identical" for p in others if p.on.body != p.off.body
        ]
    findings.add("after the review: calls with a module missing", f"{short} of {len(rewritten)}")
    if modules:
        findings.add("after the review: missing modules", named(modules))
    held = sum(not faults for _, faults in judged)
    findings.add("after the review: rest of the system text and of the body kept", f"{held} of {len(rewritten)}")
    findings.faults += [fault for _, faults in judged for fault in faults]
    stay_stable(pairs, findings)


def stay_stable(pairs: Sequence[Pair], findings: Findings) -> None:
    """Compared with what the client itself keeps: an agent may change its own prompt in a conversation."""
    last: dict[tuple[str, str | None], Pair] = {}
    kept = own = steps = 0
    for pair in pairs:
        if not pair.is_agents:
            continue
        conversation = (pair.call.conversation, pair.call.key)
        earlier = last.get(conversation)
        last[conversation] = pair
        if earlier is None:
            continue
        steps += 1
        is_own = system_text_of(pair.off.json).startswith(system_text_of(earlier.off.json))
        is_kept = system_text_of(pair.on.json).startswith(system_text_of(earlier.on.json))
        own += is_own
        kept += is_kept
        if is_own and not is_kept:
            findings.faults.append(f"line {pair.call.line}: doesn't begin as the call before in its conversation")
    findings.add("after the review: begin as the call before", f"{kept} of {steps} (the client's own: {own})")


def other_tools(profile: Profile, bench: Bench, pairs: Sequence[Pair], findings: Findings) -> None:
    """Each module's tools taken out of a first call, and all tools."""
    full = next((p for p in pairs if p.is_agents and set_of_tools(profile) & tools_of(p.call.request)), None)
    if full is None:
        findings.add("other tools", "no call declares a module's tools")
        return
    declared = tools_of(full.call.request)
    owners = [module for module in profile.modules if set(module.tools) & declared]
    went, stayed = Counter[str](), Counter[str]()
    for owner in owners:
        dropped = frozenset(owner.tools) & declared
        if dropped == declared:
            continue
        [pair] = bench.send([without_tools(full.call, dropped)])
        missing, faults = judge(profile, pair)
        findings.faults += [f"without {', '.join(sorted(dropped))}: {fault}" for fault in faults]
        gone = {module.id for module in missing}
        for module in profile.modules:
            if not set(module.tools) & dropped or set(module.tools) & (declared - dropped):
                continue
            if module.id in gone:
                went[module.id] += 1
            else:
                stayed[f"{module.id} ({why_there(pair, module)})"] += 1
        findings.faults += [
            f"without {', '.join(sorted(dropped))}: {module.id} of the core is missing"
            for module in missing
            if module.always
        ]
    findings.add("without its tools: modules gone", ", ".join(went) or "none")
    findings.add("without its tools: modules there", ", ".join(stayed) or "none")
    [pair] = bench.send([without_tools(full.call, frozenset(declared))])
    missing = missing_modules(profile, pair)
    findings.add("without any tools: modules gone", ", ".join(module.id for module in missing) or "none")
    findings.faults += [f"without any tools: {module.id} is missing" for module in missing]


def set_of_tools(profile: Profile) -> set[str]:
    return {tool for module in profile.modules for tool in module.tools}


def why_there(pair: Pair, module: Module) -> str:
    if module.always:
        return "core"
    evidence = next((each for each in pair.record["modules"] or () if each["id"] == module.id), None)
    return "not recorded" if evidence is None else str(evidence.get("evidence") or evidence.get("reason") or "?")


def run(*arguments: str) -> str:
    done = CliRunner().invoke(prompt_router, [*arguments])
    if done.exit_code:
        raise AssertionError(f"prompt-router {arguments[0]}: {done.output}")
    return done.output


def measure(traffic: Path, folder: Path) -> Findings:
    findings = Findings()
    problems: list[str] = []
    with traffic.open(encoding="utf-8") as lines:
        calls = list(read_traffic(lines, str(traffic), problems))
    profiles = folder / "profiles"
    run("learn", str(traffic), "--name", "agent", "--profiles", str(profiles))
    drafted = load_profiles(profiles, token_counter())
    names = [profile.name for profile in drafted]
    findings.add("calls", f"{len(calls)}, {sum(bool(call.request.get('stream')) for call in calls)} of them streams")
    for profile in drafted:
        core = sum(module.always for module in profile.modules)
        optional = [module.id for module in profile.modules if not module.always]
        findings.add(
            f"draft {profile.name}",
            f"{len(profile.modules)} modules, {core} in the core; not: {', '.join(optional) or 'none'}",
        )
    with running_bench(folder / "before", profiles) as bench:
        before_review(bench.send(calls), findings)
    for name in names:
        run("review", name, "--accept", "--profiles", str(profiles))
    with running_bench(folder / "after", profiles) as bench:
        pairs = bench.send(calls)
        for profile in load_profiles(profiles, token_counter()):
            own = [
                pair
                for pair in pairs
                if pair.record["profile"] == profile.name or (not pair.is_agents and profile.name == names[0])
            ]
            after_review(profile, own, findings)
            other_tools(profile, bench, own, findings)
    return findings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("traffic", type=Path, nargs="+", metavar="TRAFFIC.jsonl")
    faults = 0
    for traffic in parser.parse_args().traffic:
        with tempfile.TemporaryDirectory() as folder:
            findings = measure(traffic, Path(folder))
        table = Table("what", "figure", title=traffic.name, title_justify="left")
        for row in findings.rows:
            table.add_row(*row)
        Console().print(table)
        for fault in findings.faults:
            print(f"FAULT {fault}")
        faults += len(findings.faults)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
