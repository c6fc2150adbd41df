"""LiteLLM's own automatic caching beside our marks, which make it stand down: the history's end stays marked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest
import yaml

from tests.emulators.caching import EmulatedCache
from tests.emulators.envelopes import Envelopes
from tests.emulators.two_keys import TwoKeyProxy, running_two_keys
from tests.emulators.upstream import Upstream
from tests.end_to_end.workbench import PROMPT, TOOLS, conversation, marks, record_of, system_blocks

pytestmark = [
    pytest.mark.proxy,
    pytest.mark.skipif(
        find_spec("litellm.litellm_core_utils.prompt_templates.mid_conversation_system") is None,
        reason="this LiteLLM places no points beside marks",
    ),
]
HOUR = {"type": "ephemeral", "ttl": "1h"}


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoKeyProxy]:
    folder = tmp_path_factory.mktemp("automatic")
    config = folder / "proxy_config.yaml"
    claude = {"model": "anthropic/claude-sonnet-4-5", "api_base": "os.environ/ANTHROPIC_API_BASE", "api_key": "x"}
    document = {
        "model_list": [{"model_name": "claude", "litellm_params": claude}],
        "callback_settings": {"prompt_router": {"cache_hints": False}},
        "litellm_settings": {
            "callbacks": ["hooks.callback.handler"],
            "enable_anthropic_prompt_caching": True,
            "anthropic_prompt_caching_ttl": "1h",
        },
        "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY"},
    }
    config.write_text(yaml.safe_dump(document), encoding="utf-8")
    with (
        Upstream(caching=EmulatedCache()) as upstream,
        Envelopes() as envelopes,
        running_two_keys(upstream, envelopes, folder, config_path=config) as running,
    ):
        yield running


def sent(proxy: TwoKeyProxy, **extra: Any) -> tuple[Any, Any]:
    """``(body, answer)`` of one request."""
    proxy.clear()
    body: dict[str, Any] = {"messages": conversation(), "tools": TOOLS, **extra}
    with proxy.openai("master") as client:
        answer = client.chat.completions.with_raw_response.create(model="claude", **body)
    return proxy.upstream.last.json, answer


def test_the_history_is_marked_as_litellm_would_have(proxy: TwoKeyProxy) -> None:
    """For as long as it is told to, and ours ahead of it no shorter."""
    body, answer = sent(proxy)
    core, routed, varying = system_blocks(body)
    assert core["cache_control"] == routed["cache_control"] == HOUR
    assert "cache_control" not in varying
    assert body["messages"][-1]["content"][-1]["cache_control"] == HOUR
    assert marks(body) == 3 == record_of(proxy.ledger_path, answer)["breakpoints_total"]


def test_without_a_rewrite_litellm_does_it_alone(proxy: TwoKeyProxy) -> None:
    """The control: the same proxy, the router off."""
    body, _ = sent(proxy, extra_headers={"x-prompt-router": "off"})
    assert marks(body) == 2
    assert body["messages"][-1]["content"][-1]["cache_control"] == HOUR


def test_a_client_that_marks_is_left_to_itself(proxy: TwoKeyProxy) -> None:
    """LiteLLM stands down on its marks; we add none to its history either."""
    system = [{"type": "text", "text": PROMPT, "cache_control": {"type": "ephemeral"}}]
    body, _ = sent(proxy, messages=conversation(system))
    assert "cache_control" not in json.dumps(body["messages"])
    assert marks(body) == 2
