"""What those who watch the proxy see: LiteLLM's spend logs and Cost Optimization page, alerts, metrics, status."""

from __future__ import annotations

import copy
import json
import shutil
import stat
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import httpx
import openai
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from litellm_prompt_router.record.ledger_schema import LEDGER_FIELDS
from tests.emulators.caching import EmulatedCache
from tests.emulators.envelopes import Envelopes
from tests.emulators.line_files import whole_lines
from tests.emulators.two_keys import CONFIG, TwoKeyProxy, running_two_keys
from tests.emulators.upstream import HttpError, Upstream
from tests.end_to_end.workbench import PROMPT, TASK, TOOLS, conversation, messages_body

pytestmark = pytest.mark.proxy

PROBE = Path(__file__).parents[1] / "emulators" / "spend_probe.py"
WAIT_SECONDS = 20.0
CLAUDE_USD, NEGOTIATED_USD = 0.000003, 0.000002
"""For an input token."""
SMALL_TALK = "hello"
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Observed:
    """A proxy with LiteLLM's own metrics page, short windows for alerts, and a probe where its database would be."""

    proxy: TwoKeyProxy
    probed: Path
    status_dir: Path
    config_path: Path

    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in whole_lines(self.probed)] if self.probed.exists() else []


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    """The example with two keys under observation."""
    folder = tmp_path_factory.mktemp("observed")
    config = shutil.copytree(CONFIG.parent, folder / "two_keys") / CONFIG.name
    shutil.copy(PROBE, config.parent)
    stated = yaml.safe_load(config.read_text())
    claude = stated["model_list"][0]["litellm_params"]
    prices = {"input_cost_per_token": NEGOTIATED_USD, "output_cost_per_token": 0.00001}
    stated["model_list"].append({"model_name": "negotiated", "litellm_params": {**claude, **prices}})
    stated["litellm_settings"] |= {
        "callbacks": ["spend_probe.recorder", "hooks.callback.handler", "prometheus"],
        "require_auth_for_metrics_endpoint": False,
    }
    stated["callback_settings"]["prompt_router"] |= {
        "alerts": {"minimum_requests": 4, "error_rate": 0.001, "decision_p99_us": "off"},
        "status_dir": str(folder / "status"),
    }
    config.write_text(yaml.safe_dump(stated, sort_keys=False))
    probed = folder / "probed.jsonl"
    env = {"SPEND_PROBE_PATH": str(probed), "PROMPT_ROUTER_ALERTS__WINDOW_SECONDS": "1"}
    with (
        Upstream(caching=EmulatedCache()) as upstream,
        Envelopes() as envelopes,
        running_two_keys(upstream, envelopes, folder, config_path=config, env=env) as running,
    ):
        yield Observed(proxy=running, probed=probed, status_dir=folder / "status", config_path=config)


def ask(
    observed: Observed, model: str = "claude", stream: bool = False, mode: str | None = None, **body: Any
) -> dict[str, Any]:
    """One request; returns what the probe took down of it."""
    body = {"messages": conversation(), "tools": TOOLS, **body, "model": model, "stream": stream}
    return posted(observed, "/v1/chat/completions", body, {"x-prompt-router": mode} if mode else {})


def posted(observed: Observed, path: str, body: Any, headers: dict[str, str] | None = None) -> dict[str, Any]:
    before = len(observed.rows())
    headers = {"authorization": f"Bearer {observed.proxy.keys['alpha']}", **(headers or {})}
    answer = httpx.post(
        f"{observed.proxy.url}{path}", json=body, headers=headers, timeout=WAIT_SECONDS, trust_env=False
    )
    assert answer.status_code == 200, answer.text
    return wait(lambda: observed.rows()[before:])[0]


def wait(look: Callable[[], T]) -> T:
    """What ``look`` finds, once it finds something."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("nothing came")


def summary_of(row: dict[str, Any]) -> dict[str, Any]:
    metadata = json.loads(row["spend_log"]["metadata"])
    found: dict[str, Any] = metadata["spend_logs_metadata"]["prompt_router"]
    return found


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_spend_logs_tell_what_the_ledger_tells(observed: Observed, stream: bool) -> None:
    """Under the ledger's names, in its form; bounded, and without a word of the prompt or a key."""
    row = ask(observed, stream=stream)
    summary = summary_of(row)
    record = record_of(observed, row)
    assert abs(summary.pop("finished_seconds") - record.pop("finished_seconds")) < 1
    assert summary == {name: record[name] for name in summary}
    missing = set(record) - set(summary) - {"finished_seconds"}
    assert missing == {field.name for field in LEDGER_FIELDS if not field.in_summary}
    assert missing > {"key_hash", "user_id", "history_state", "previous_history_states", "tuning"}
    assert summary["outcome"] == "rewritten"
    assert {"id", "evidence", "detail", "late"} == set(summary["modules"][0])
    assert abs(float(summary["billed_usd"]) - row["spend_log"]["spend"]) < 1e-12
    text = json.dumps(summary)
    assert len(text) < 10_000
    assert TASK.split(":")[1].strip() not in text
    assert not any(secret in text for secret in observed.proxy.keys.values())


def ledger_lines(observed: Observed, summary: dict[str, Any]) -> list[str]:
    path = observed.proxy.ledger_path
    lines = whole_lines(path)
    return lines if any(summary["request_id"] in line for line in lines) else []


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param("/v1/chat/completions", {"messages": conversation(), "tools": TOOLS}, id="chat"),
        pytest.param("/v1/messages", messages_body(), id="messages"),
        pytest.param("/v1/responses", {"instructions": PROMPT, "input": TASK}, id="responses"),
    ],
)
def test_every_logger_gets_what_spend_logs_get(
    observed: Observed, path: str, body: dict[str, Any], stream: bool
) -> None:
    """LiteLLM makes its standard payload before the answer is accounted for; what is known by then is put into it."""
    row = posted(observed, path, {**body, "model": "claude", "stream": stream})
    assert row["standard"] == summary_of(row)
    assert row["standard"]["outcome"] == "rewritten"
    assert row["standard"]["billed_usd"] is not None
    assert [row["standard"][f"estimated_net_saved_{name}"] for name in ("usd", "reason")].count(None) == 1


@pytest.mark.parametrize(
    ("model", "task", "mode", "sign"),
    [
        pytest.param("claude", TASK, None, 1, id="gain"),
        pytest.param("negotiated", TASK, None, 1, id="gain at a negotiated price"),
        pytest.param("claude", SMALL_TALK, None, -1, id="loss"),
        pytest.param("claude", TASK, "off", 0, id="nothing"),
    ],
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_the_cost_page_comes_out_at_the_net_figure(
    observed: Observed, model: str, task: str, mode: str | None, sign: int, stream: bool
) -> None:
    """LiteLLM's own flat-price arithmetic, to half a token; a loss is claimed as nothing, and told in the summary.

    A conversation of two calls, its caches accounted as the provider would: behind small talk the second gets every
    module, and writes them all where the full prompt would have cost its plain price.
    """
    price = NEGOTIATED_USD if model == "negotiated" else CLAUDE_USD
    messages: list[dict[str, Any]] = [{"role": "system", "content": PROMPT}, {"role": "user", "content": task}]
    tools = tools_of_its_own()
    rows = [ask(observed, model, stream, mode, messages=messages, tools=tools)]
    messages += [{"role": "assistant", "content": "Done."}, {"role": "user", "content": "yes, go on"}]
    rows.append(ask(observed, model, stream, mode, messages=messages, tools=tools))
    nets = []
    for row in rows:
        net_usd = Decimal(record_of(observed, row)["estimated_net_saved_usd"])
        assert Decimal(summary_of(row)["estimated_net_saved_usd"]) == net_usd
        assert Decimal(row["standard"]["estimated_net_saved_usd"]) == net_usd
        tokens, claimed_usd = row["daily"]["compression_saved_tokens"], row["daily"]["compression_savings_spend"]
        assert claimed_usd == pytest.approx(tokens * price)
        assert abs(claimed_usd - max(0.0, float(net_usd))) <= price / 2 * (1 + 1e-6)  # half a token, in floats
        assert (json.loads(row["spend_log"]["metadata"])["compression_savings"] is None) == (tokens == 0)
        nets.append(net_usd)
    assert [net_usd > 0 for net_usd in nets] == [sign != 0, sign > 0]
    assert (nets[-1] < 0) == (sign < 0)


def tools_of_its_own() -> list[dict[str, Any]]:
    """Tools that nobody else has, so that no other conversation's calls are cached for this one."""
    tools = copy.deepcopy(TOOLS)
    tools[0]["function"]["name"] = f"read_{uuid.uuid4().hex[:8]}"
    return tools


def record_of(observed: Observed, row: dict[str, Any]) -> dict[str, Any]:
    """The request's record in the ledger."""
    summary = summary_of(row)
    records = map(json.loads, wait(lambda: ledger_lines(observed, summary)))
    return next(record for record in records if record["request_id"] == summary["request_id"])


def test_the_cost_page_gets_raw_tokens_or_none(observed: Observed) -> None:
    """As the setting says that is in force: every removed token at its full price, whatever the net figure is."""
    stated = observed.config_path.read_text()
    removed = {"raw": lambda summary: summary["original_tokens"] - summary["prompt_tokens"], "off": lambda _: 0}
    try:
        for page, claim in removed.items():
            configured = yaml.safe_load(stated)
            configured["callback_settings"]["prompt_router"]["cost_page"] = page
            observed.config_path.write_text(yaml.safe_dump(configured, sort_keys=False))

            def is_claimed(claim: Callable[[dict[str, Any]], int] = claim) -> bool:
                row = ask(observed, tools=tools_of_its_own())
                tokens = claim(summary_of(row))
                claimed: int = row["daily"]["compression_saved_tokens"]
                assert row["daily"]["compression_savings_spend"] == pytest.approx(claimed * CLAUDE_USD)
                return claimed == tokens

            assert wait(is_claimed)
    finally:
        observed.config_path.write_text(stated)


def test_requests_that_the_provider_refuses_raise_alerts(observed: Observed) -> None:
    """Each an issue of its own, at error level; the failed request's spend log has its summary."""
    upstream, envelopes = observed.proxy.upstream, observed.proxy.envelopes
    for _ in range(6):
        before = len(observed.rows())
        upstream.script(HttpError(status=400))
        messages: Any = conversation()
        with observed.proxy.openai("alpha") as client, pytest.raises(openai.BadRequestError):
            client.chat.completions.create(model="claude", messages=messages)
        failed = wait(lambda before=before: observed.rows()[before:])[0]["failed"]  # type: ignore[misc]
        assert failed["spend_logs_metadata"]["prompt_router"]["outcome"] == "rewritten"
        assert "compression_savings" not in failed

    def alerts() -> dict[str, Any]:
        found = {event["message"]: event for event in envelopes.events if event["message"].startswith("Alert: ")}
        return found if len(found) >= 2 else {}

    raised = wait(alerts)
    assert set(raised) == {"Alert: error rate", "Alert: requests fail"}
    assert {event["level"] for event in raised.values()} == {"error"}
    figures = raised["Alert: error rate"]["contexts"]["alert"]
    assert figures["rewritten_and_refused"] > 0
    assert figures["rate"] > figures["limit"] == 0.001


def test_litellms_metrics_page_has_our_metrics(observed: Observed) -> None:
    """Counted by outcome, with histograms of decisions, modules and sizes; no key, no conversation."""
    ask(observed)

    def scraped() -> dict[str, float]:
        page = httpx.get(f"{observed.proxy.url}/metrics/", trust_env=False)
        values = {
            f"{sample.name}{json.dumps(sample.labels, sort_keys=True)}": sample.value
            for family in text_string_to_metric_families(page.text)
            for sample in family.samples
            if sample.name.startswith("prompt_router_")
        }
        return values if any("prompt_router_requests_total" in name for name in values) else {}

    values = wait(scraped)
    rewritten = {
        "outcome": "rewritten",
        "reason": "none",
        "profile": "workbench",
        "mode": "rewrite",
        "status": "success",
    }
    assert values[f"prompt_router_requests_total{json.dumps(rewritten, sort_keys=True)}"] >= 1
    assert values["prompt_router_decision_seconds_count{}"] >= 1
    profile = json.dumps({"profile": "workbench"})
    assert values[f"prompt_router_modules_selected_count{profile}"] >= 1
    before, after = (
        values[f'prompt_router_prompt_chars_sum{{"profile": "workbench", "when": "{when}"}}']
        for when in ("before", "after")
    )
    assert 0 < after < 0.6 * before
    assert not any("alpha" in name or '"c-' in name for name in values)


def test_each_worker_says_how_it_is(observed: Observed) -> None:
    """In one small file that only its owner reads."""
    ask(observed)

    def written() -> dict[str, Any]:
        [path] = wait(lambda: list(observed.status_dir.glob("worker-*.json")))
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        status: dict[str, Any] = json.loads(path.read_text())
        modes = {key["key_alias"]: key["mode"] for key in status["keys"]}
        return status if modes.get("alpha") == "rewrite" else {}  # not yet: other tests have it off

    status = wait(written)
    assert status["pid"] == observed.proxy.proxy.process.pid
    [profile] = status["profiles"]
    assert profile["name"] == "workbench"
    [key] = [key for key in status["keys"] if key["key_alias"] == "alpha"]
    assert key["profile"] == "workbench"
    assert status["counters"]["by_outcome"]["rewritten"]
    assert status["ledger"]["is_on"]
    assert status["prometheus"]["is_on"]
    assert not any(secret in json.dumps(status) for secret in observed.proxy.keys.values())
