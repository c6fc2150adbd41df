"""LiteLLM's own response cache: a rewritten request is found there again, and claims nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.emulators.envelopes import Envelopes
from tests.emulators.two_keys import CONFIG, TwoKeyProxy, running_two_keys
from tests.emulators.upstream import Upstream
from tests.end_to_end.workbench import TOOLS, conversation, record_of

pytestmark = [pytest.mark.proxy, pytest.mark.full]


@pytest.fixture(scope="module")
def cached(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoKeyProxy]:
    """The example with two keys and a cache. LiteLLM keeps requests of more than four messages out unless told."""
    folder: Path = tmp_path_factory.mktemp("cached")
    config = shutil.copytree(CONFIG.parent, folder / "two_keys") / CONFIG.name
    stated = yaml.safe_load(config.read_text())
    stated["litellm_settings"] |= {"cache": True, "cache_params": {"type": "local", "max_messages": None}}
    config.write_text(yaml.safe_dump(stated, sort_keys=False))
    with (
        Upstream() as upstream,
        Envelopes() as envelopes,
        running_two_keys(upstream, envelopes, folder, config_path=config) as proxy,
    ):
        yield proxy


@pytest.mark.parametrize("model", ["claude", "gpt"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_the_second_request_is_served_from_the_cache(cached: TwoKeyProxy, model: str, stream: bool) -> None:
    """The provider is asked once; the second record says so and claims neither a bill nor a saving."""
    cached.upstream.clear()
    records = []
    with cached.openai("alpha") as client:
        for _ in range(2):
            given: Any = {"messages": conversation(task=f"Sum up {model}-{stream}.csv"), "tools": TOOLS}
            raw = client.chat.completions.with_raw_response.create(model=model, stream=stream, **given)
            answer = raw.parse()
            if stream:
                list(answer)
            assert raw.headers["x-prompt-router-outcome"] == "rewritten"
            records.append(record_of(cached.ledger_path, raw))
    assert len(cached.upstream.calls) == 1
    first, second = records
    assert (first["response_cached"], second["response_cached"]) == (False, True)
    assert float(first["billed_usd"]) > 0
    assert first["list_price_saved_usd"] is not None
    assert float(second["billed_usd"]) == 0
    assert second["list_price_saved_usd"] is None
    assert not float(second["estimated_net_saved_usd"] or 0)
