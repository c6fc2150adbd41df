"""``prompt-router verify-cache``."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import click

from litellm_prompt_router.analysis.cache_probe import most_usd, probe_calls
from litellm_prompt_router.analysis.cache_recorder import probe_recorded, traffic_recorded
from litellm_prompt_router.analysis.verify_cache import TOLERANCE, verify
from litellm_prompt_router.cache_model import HostCache, cache_of
from litellm_prompt_router.cli.cache_verdict import show_verdict, verdict_for_json
from litellm_prompt_router.cli.inputs import json_option, read_text_file, shown
from litellm_prompt_router.cli.model_accounts import Account, account_for
from litellm_prompt_router.cli.output import say, show_json
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.documents.plurals import many
from litellm_prompt_router.files.cache_recording import (
    CacheRecording,
    RecordingHeader,
    parse_recording,
    recording_lines,
    salt_id,
)
from litellm_prompt_router.files.replace_files import replace_files
from litellm_prompt_router.files.traffic import RecordedCall, parse_traffic
from litellm_prompt_router.profile.tokens import ENCODING, token_counter

LONGEST_PAUSE_SECONDS = 400
CLOCK = time.time
SLEEP = time.sleep
SALT = partial(secrets.token_bytes, 16)
"""Clock, pauses and salt, which tests replace."""


@click.command("verify-cache")
@click.argument("path", required=False, metavar="[RECORDING.jsonl]")
@click.option("--from", "traffic", metavar="TRAFFIC.jsonl", help="Make the recording from captured traffic.")
@click.option("--record", "asked", metavar="MODEL", help="Make it by a few calls to this model, by LiteLLM's name.")
@click.option(
    "--write",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where a new recording goes.",
)
@click.option("--model", metavar="NAME", help="LiteLLM's name of the model. Default: the recording's, the traffic's.")
@click.option("--prices", "stated", metavar="JSON|FILE", help="USD per million tokens, as `simulate` takes it.")
@click.option("--api-base", metavar="URL", help="[record] Where the model is, if not at its usual address.")
@click.option(
    "--longest-pause",
    type=click.FloatRange(min=0),
    default=LONGEST_PAUSE_SECONDS,
    show_default=True,
    help="[record] Seconds that it may wait to see an entry expire.",
)
@click.option("--yes", is_flag=True, help="[record] Don't ask before calls that cost money.")
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 1),
    default=TOLERANCE,
    show_default=True,
    help="Share of the input that may be in another bucket than the provider says.",
)
@json_option
@click.pass_context
def verify_cache(
    ctx: click.Context,
    /,
    path: str | None,
    traffic: str | None,
    asked: str | None,
    target: Path | None,
    model: str | None,
    stated: str | None,
    api_base: str | None,
    longest_pause: float,
    yes: bool,
    tolerance: float,
    as_json: bool,
) -> None:
    """Check our model of a provider's cache against what the provider reported.

    \b
    verify-cache RECORDING.jsonl                 check a recording
    verify-cache --from TRAFFIC.jsonl --write F  make one from captured traffic, and check it
    verify-cache --record MODEL --write F        make one by a few calls to your provider, and check it

    A recording holds no text and no key: salted fingerprints of what calls were made of, their sizes and times, and
    the usage that the provider reported. Captured traffic holds what clients sent: use that of keys that are off or in
    shadow, whose requests went out as they came. --record sends made-up text, with the key of your environment
    (ANTHROPIC_API_KEY, ...); it says first what it sends and what that costs at most.

    Tokens are misplaced where the model has them in another bucket (uncached, read, written) than the provider. Exit
    code 1 where more than --tolerance of the input is; then the one rule is named that explains it best.
    """
    ways = [way for way in (path, traffic, asked) if way is not None]
    if len(ways) != 1:
        raise click.UsageError("Give one of RECORDING.jsonl, --from and --record.")
    if (path is None) != (target is not None):
        raise click.UsageError("--write goes with --from or --record, which make a recording.")
    if path is not None:
        recording = parse_recording(read_text_file(path), shown(path))
        account = account_for(model or recording.header.model, stated)
    elif traffic is not None:
        calls = parse_traffic(read_text_file(traffic), shown(traffic))
        account = account_for(model or _model_of(calls), stated)
        salt = SALT()
        found = traffic_recorded(calls, account.blocks_of(token_counter()), salt, shown(traffic))
        recording = CacheRecording(header=_header(account, salt, "captured traffic"), calls=found)
    else:
        assert asked is not None
        account = account_for(model or asked, stated)
        recording = _from_provider(ctx, asked, account, api_base, longest_pause, yes)
    if target is not None:
        _write(recording, target)
        say(f"recorded: {target} ({many(len(recording.calls), 'call')}, no text)", err=True)
    cache = _cache_of(account, recording)
    least = None if cache.basis == "documented" else cache.unsent_rules
    verdict = verify(recording, cache.rules, least=least, tolerance=tolerance)
    if as_json:
        show_json(verdict_for_json(recording, cache, verdict))
    else:
        show_verdict(recording, account.model, cache, verdict)
    if not verdict.fits:
        ctx.exit(1)


def _cache_of(account: Account, recording: CacheRecording) -> HostCache:
    from litellm_prompt_router.gateway.deployments.describe import describe  # imports LiteLLM, which takes seconds

    is_marked = any(block.mark is not None for call in recording.calls for block in call.blocks)
    return cache_of(describe(account.model), is_marked=is_marked)


# Recordings


def _from_provider(
    ctx: click.Context, model: str, account: Account, api_base: str | None, longest_pause: float, is_agreed: bool
) -> CacheRecording:
    from litellm_prompt_router.gateway.models.language_model import ReportedUsage  # imports LiteLLM

    count, salt = token_counter(), SALT()
    script = probe_calls(
        account.rules,
        count,
        takes_marks=account.target.takes_marks,
        longest_pause_seconds=longest_pause,
        salt=salt,
    )
    blocks_of = account.blocks_of(count)
    prompts = [blocks_of(call.body) for call in script]
    waits = sum(call.wait_seconds for call in script)
    tokens = sum(block.tokens for blocks in prompts for block in blocks)
    say(
        f"{model}: {many(len(script), 'call')} of made-up text, about {tokens:,} tokens by our count, in {waits:,.0f}"
        f" seconds; at most {most_usd(prompts, account.prices):.4f} USD",
        err=True,
    )
    if not is_agreed and not click.confirm("Send them?", err=True):
        ctx.exit(1)
    calls = probe_recorded(
        script,
        prompts,
        salt,
        ask=ReportedUsage(model, api_base),
        clock=CLOCK,
        sleep=SLEEP,
        tell=lambda line: say(f"  {line}", err=True),
    )
    return CacheRecording(header=_header(account, salt, "scripted calls"), calls=calls)


def _header(account: Account, salt: bytes, source: str) -> RecordingHeader:
    from importlib.metadata import version

    from litellm_prompt_router.gateway.deployments.describe import describe

    return RecordingHeader(
        cache_recording=1,
        provider=describe(account.model).provider or "",
        model=account.model,
        litellm=version("litellm"),
        tokenizer=ENCODING,
        salt_id=salt_id(salt),
        source=source,
    )


def _write(recording: CacheRecording, target: Path) -> None:
    replace_files({target: "".join(recording_lines(recording)).encode()}, target)


def _model_of(calls: Iterable[RecordedCall]) -> str:
    names = sorted({str(call.request.get("model")) for call in calls})
    if len(names) != 1:
        raise ConfigurationError([f"--model: the traffic names several ({', '.join(names)}); say which one"])
    return names[0]
