"""How ``verify-cache`` tells what came of it."""

from __future__ import annotations

from dataclasses import asdict

from litellm_prompt_router.analysis.verify_cache import CacheVerdict, ClassTally
from litellm_prompt_router.cache_model import HostCache
from litellm_prompt_router.cli.output import say, show_table
from litellm_prompt_router.documents.plurals import many
from litellm_prompt_router.files.cache_recording import CacheRecording

COLUMNS = ("calls that are", "#calls", "#input", "#read", "#modelled", "#written", "#modelled", "#misplaced")


def show_verdict(recording: CacheRecording, model: str, cache: HostCache, verdict: CacheVerdict) -> None:
    header = recording.header
    say(f"{model}: rules {cache.basis}, {cache.source}")
    say(
        f"{many(len(recording.calls), 'call')} from {header.source}, LiteLLM {header.litellm}, tokens counted with"
        f" {header.tokenizer}"
    )
    say()
    show_table(COLUMNS, [_row(tally) for tally in (*verdict.classes, verdict.total)])
    say()
    for line in verdict_lines(verdict):
        say(line)


def verdict_lines(verdict: CacheVerdict) -> list[str]:
    """The verdict in plain words."""
    total = verdict.total
    of_caches = (total.reported_read_tokens, total.reported_written_tokens, total.modelled_read_tokens)
    if not any((*of_caches, total.modelled_written_tokens)):
        return ["Nothing was checked: no call read or wrote a cache, and by the model none could. Record more calls."]
    misplaced = f"{total.misplaced_share:.1%} of the input is in another bucket than the provider says"
    if total.misplaced_share <= verdict.tolerance:
        return [f"The model fits: {misplaced} (at most {verdict.tolerance:.1%} may be)."]
    if verdict.is_between_bounds:
        least, most = verdict.least_read_tokens or 0, total.modelled_read_tokens
        return [
            f"The model fits: the provider publishes no rules, and {total.reported_read_tokens:,} tokens read lie"
            f" between the {least:,} and {most:,} that we assume."
        ]
    lines = [f"The model doesn't fit: {misplaced} (at most {verdict.tolerance:.1%} may be)."]
    for count, how in ((total.read_more, "more"), (total.read_less, "less")):
        if count:
            lines.append(f"Of {many(count, 'call')} the provider read {how} than the model says.")
    better = verdict.better
    if better is None:
        return [*lines, "No single rule explains it; please send us the recording."]
    others = f", and so do {verdict.alike} other rules" if verdict.alike else ""
    return [*lines, f"Rule: {better.rule}. It fits better if {better.says}: {better.misplaced_share:.1%}{others}."]


def _row(tally: ClassTally) -> tuple[str, ...]:
    return (
        tally.name,
        f"{tally.calls:,}",
        f"{tally.input_tokens:,}",
        f"{tally.reported_read_tokens:,}",
        f"{tally.modelled_read_tokens:,}",
        f"{tally.reported_written_tokens:,}",
        f"{tally.modelled_written_tokens:,}",
        f"{tally.misplaced_share:.1%}",
    )


def verdict_for_json(recording: CacheRecording, cache: HostCache, verdict: CacheVerdict) -> dict[str, object]:
    return {
        "recording": recording.header.model_dump(),
        "basis": cache.basis,
        "source": cache.source,
        "fits": verdict.fits,
        "tolerance": verdict.tolerance,
        "misplaced_share": round(verdict.total.misplaced_share, 6),
        "least_read_tokens": verdict.least_read_tokens,
        "better": None if verdict.better is None else asdict(verdict.better),
        "classes": [asdict(tally) for tally in (*verdict.classes, verdict.total)],
    }
