"""Calls sent twice through a real proxy to an emulated provider: by a key that rewrites and one that is off."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from litellm_prompt_router.files.traffic import RecordedCall
from tests.agents.stage import models_of
from tests.emulators.line_files import whole_lines
from tests.emulators.proxy import RunningProxy, make_key, running_proxy
from tests.emulators.two_keys import CONFIG, ROOT
from tests.emulators.upstream import RecordedRequest, Upstream

SETTLE_SECONDS = 10.0
ANSWER_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """One call at the provider as its client sent it and as it was rewritten, and the record of the latter."""

    call: RecordedCall
    off: RecordedRequest
    on: RecordedRequest
    record: Mapping[str, Any]

    @property
    def is_agents(self) -> bool:
        """True for a call of the agent's own conversation, not one for a title and the like."""
        return self.record["profile"] is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """A running proxy with a key that rewrites and one that is off."""

    proxy: RunningProxy
    client: httpx.Client
    upstream: Upstream
    keys: Mapping[str, str] = field(repr=False)
    ledger: Path

    def send(self, calls: Sequence[RecordedCall]) -> list[Pair]:
        """Raises AssertionError where a call fails, or its record doesn't come."""
        sent = [(call, self._send(call, "off")[0], *self._send(call, "on")) for call in calls]
        records = self._records({call_id for _, _, _, call_id in sent})
        return [Pair(call=call, off=off, on=on, record=records[call_id]) for call, off, on, call_id in sent]

    def _send(self, call: RecordedCall, key: str) -> tuple[RecordedRequest, str]:
        headers = {"authorization": f"Bearer {self.keys[key]}"}
        for _ in range(2):
            self.upstream.clear()
            try:
                answer = self.client.post(path_of(call), json=call.request, headers=headers)
                break
            except httpx.TransportError:
                self.proxy.process.wait(SETTLE_SECONDS)
                self.proxy.revive()
        assert answer.status_code == httpx.codes.OK, f"line {call.line}: {answer.status_code} {answer.text[:300]}"
        [request] = self.upstream.calls
        return request, answer.headers["x-litellm-call-id"]

    def _records(self, wanted: set[str]) -> dict[str, Mapping[str, Any]]:
        deadline = time.monotonic() + SETTLE_SECONDS
        records: dict[str, Mapping[str, Any]] = {}
        while not wanted <= records.keys():
            assert time.monotonic() < deadline, f"{len(wanted - records.keys())} of {len(wanted)} records are missing"
            time.sleep(0.1)
            lines = whole_lines(self.ledger)
            records = {line["call_id"]: line for line in map(json.loads, lines)}
        return records


def path_of(call: RecordedCall) -> str:
    paths = {"acompletion": "/v1/chat/completions", "anthropic_messages": "/v1/messages", "aresponses": "/v1/responses"}
    if call.endpoint in paths:
        return paths[call.endpoint]
    verb = "streamGenerateContent?alt=sse" if call.endpoint.endswith("_stream") else "generateContent"
    return f"/v1beta/models/{call.request['model']}:{verb}"


@contextmanager
def running_bench(folder: Path, profiles: Path) -> Iterator[Bench]:
    folder.mkdir()
    keys = {"on": make_key(), "off": make_key()}
    ledger = folder / "ledger.jsonl"
    with Upstream() as upstream:
        section = {"mode": "rewrite", "profiles": str(profiles), "cost_gate": False, "ledger": {"path": str(ledger)}}
        config = {
            "model_list": models_of(upstream.url),
            "general_settings": {
                "master_key": "os.environ/LITELLM_MASTER_KEY",
                "custom_auth": "key_file.user_api_key_auth",
                "always_include_stream_usage": True,
            },
            "litellm_settings": {"drop_params": True, "callbacks": ["hooks.callback.handler"]},
            "callback_settings": {"prompt_router": section},
        }
        (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
        shutil.copy(CONFIG.with_name("key_file.py"), folder)
        entries = [
            {"alias": name, "key": f"os.environ/KEY_{name.upper()}", "metadata": metadata}
            for name, metadata in (("on", {}), ("off", {"prompt_router": {"enabled": False}}))
        ]
        (folder / "keys.yaml").write_text(yaml.safe_dump(entries))
        env = {f"KEY_{name.upper()}": key for name, key in keys.items()}
        with (
            running_proxy(folder / "config.yaml", env=env, cwd=ROOT, log_path=folder / "proxy.log") as proxy,
            httpx.Client(base_url=proxy.url, trust_env=False, timeout=ANSWER_SECONDS) as client,
        ):
            yield Bench(proxy=proxy, client=client, upstream=upstream, keys=keys, ledger=ledger)
