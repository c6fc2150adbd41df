"""A running proxy, asked over HTTP: is it live, which LiteLLM, is our callback in its chain, does its clock agree."""

from __future__ import annotations

import email.utils
from collections.abc import Iterable
from typing import Any

import httpx

from litellm_prompt_router.operations.doctor.finding import Finding, fail, ok, warn

ASK_SECONDS = 5.0
CLOCK_SECONDS = 5.0
OURS = "PromptRouter"


def examine_online(url: str, key: str | None, now_seconds: float) -> Iterable[Finding]:
    """``key``: an admin's; without one the chain isn't asked for. ``now_seconds``: Unix time here."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    try:
        with httpx.Client(base_url=url, timeout=ASK_SECONDS, headers=headers, trust_env=False) as client:
            live = client.get("/health/liveliness")
            if live.status_code != httpx.codes.OK:
                yield fail("proxy", f"{url} answers {live.status_code}", "is it a LiteLLM proxy, and has it started?")
                return
            yield ok("proxy", f"{url} is live")
            yield _clock(live.headers.get("date"), now_seconds)
            yield _chain(client.get("/active/callbacks"))
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        yield fail("proxy", f"{url} can't be asked ({type(error).__name__})", "check the URL, and that the proxy runs")


def _clock(date: str | None, now_seconds: float) -> Finding:
    parsed = email.utils.parsedate_to_datetime(date) if date else None
    if parsed is None:
        return warn("clock", "the proxy states no date", "compare the clocks by hand")
    apart = abs(parsed.timestamp() - now_seconds)
    if apart > CLOCK_SECONDS:
        return warn(
            "clock", f"{apart:.0f} s apart from the proxy's", "run NTP on both: rules end (`until`) by the clock"
        )
    return ok("clock", "agrees with the proxy's")


def _chain(response: httpx.Response) -> Finding:
    """By ``/active/callbacks`` (litellm/proxy/health_endpoints, 1.106), which an admin's key may ask."""
    if response.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return warn(
            "callback (running)", "not asked: that wants an admin's key", "give --key, or set LITELLM_MASTER_KEY"
        )
    names = _names(response)
    if names is None:
        return warn(
            "callback (running)", f"the proxy doesn't tell ({response.status_code})", "look at its log at start"
        )
    ours = [number for number, name in enumerate(names) if OURS in name]
    if len(ours) == 1:
        return ok("callback (running)", f"in the chain, number {ours[0] + 1} of {len(names)}")
    if ours:
        return fail(
            "callback (running)", f"{len(ours)} times in the chain", "list it once in litellm_settings.callbacks"
        )
    todo = "see litellm_settings.callbacks of the file that the proxy runs with, and its log at start"
    return fail("callback (running)", f"not in the chain of {len(names)}", todo)


def _names(response: httpx.Response) -> list[str] | None:
    if response.status_code != httpx.codes.OK:
        return None
    answer: Any = response.json()
    listed = answer.get("litellm.callbacks") if isinstance(answer, dict) else None
    return [str(name) for name in listed] if isinstance(listed, list) else None
