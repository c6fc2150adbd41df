"""Calls and what was reported of them -> a cache recording."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from litellm_prompt_router.analysis.cache_probe import ProbeCall
from litellm_prompt_router.cache_model import Block
from litellm_prompt_router.cache_model.usage import Usage, read_usage
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files.cache_recording import FingerprintedCall, fingerprinted, salted_scope
from litellm_prompt_router.files.traffic import RecordedCall


def traffic_recorded(
    calls: Iterable[RecordedCall], blocks_of: Callable[[Mapping[str, Any]], Sequence[Block]], salt: bytes, where: str
) -> tuple[FingerprintedCall, ...]:
    """Captured calls whose usage was captured, too. Raises ConfigurationError where there are none."""
    found: list[FingerprintedCall] = []
    problems: list[str] = []
    for call in calls:
        usage = read_usage((call.response or {}).get("usage"))
        if usage is None:
            continue
        try:
            blocks = blocks_of(call.request)
        except ValueError as error:
            problems.append(f"{where}: line {call.line}: {error}")
            continue
        scope = f"{call.key} {call.request.get('model')} {call.request.get('prompt_cache_key')}"
        found.append(
            FingerprintedCall(
                at_seconds=call.at_seconds,
                scope=salted_scope(scope, salt),
                blocks=fingerprinted(blocks, salt),
                usage=usage,
            )
        )
    if problems:
        raise ConfigurationError(problems)
    if not found:
        raise ConfigurationError([f"{where}: no call has the usage that came back (`response.usage`); capture anew"])
    return tuple(found)


def probe_recorded(
    script: Iterable[ProbeCall],
    prompts: Iterable[Sequence[Block]],
    salt: bytes,
    *,
    ask: Callable[[Mapping[str, Any]], Usage],
    clock: Callable[[], float],
    sleep: Callable[[float], object],
    tell: Callable[[str], object],
) -> tuple[FingerprintedCall, ...]:
    """Sends the script's calls one after the other. ``prompts``: what each is made of."""
    found: list[FingerprintedCall] = []
    for call, blocks in zip(script, prompts, strict=True):
        if found:
            sleep(call.wait_seconds)
        at_seconds = clock()
        usage = ask(call.body)
        read, written = usage.cache_read_tokens, usage.cache_write_tokens
        tell(f"{call.what}: {usage.input_tokens:,} tokens, read {read:,}, written {written:,}")
        found.append(
            FingerprintedCall(
                at_seconds=at_seconds,
                scope=salted_scope("", salt),
                blocks=fingerprinted(blocks, salt),
                usage=usage,
            )
        )
    return tuple(found)
