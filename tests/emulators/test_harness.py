"""Real SDK clients through the real proxy to the emulated provider: what the other tests lean on."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletion

from tests.emulators.proxy import failed_boot, make_key, running_proxy
from tests.emulators.proxy_process import ProxyProcess
from tests.emulators.two_keys import CONFIG, ROOT, KeyName, TwoKeyProxy, openai_client
from tests.emulators.upstream import Usage

pytestmark = pytest.mark.proxy

SYSTEM = "You are a test."
MARK = {"type": "ephemeral"}
ROUTES = [("claude", "/v1/messages"), ("gpt", "/chat/completions")]
USAGE = Usage(uncached_input_tokens=11, cache_read_tokens=500, cache_write_5m_tokens=30, output_tokens=5)


def ask(client: openai.OpenAI, model: str, text: str = "Hi?") -> ChatCompletion:
    return client.chat.completions.create(
        model=model,
        messages=[{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}],
    )


def system_on_the_wire(body: Any) -> str:
    """The system text of an Anthropic or OpenAI body."""
    system = body.get("system") or body["messages"][0]["content"]
    return system if isinstance(system, str) else "".join(block["text"] for block in system)


@pytest.mark.parametrize(("model", "path"), ROUTES)
@pytest.mark.parametrize("key", ["alpha", "beta", "master"])
def test_every_key_reaches_the_provider(two_key_proxy: TwoKeyProxy, key: KeyName, model: str, path: str) -> None:
    """A completion arrives recorded, byte for byte as sent, and the scripted reply comes back."""
    two_key_proxy.upstream.script("Scripted.")
    two_key_proxy.upstream.usage = USAGE
    with two_key_proxy.openai(key) as client:
        completion = ask(client, model)
    assert completion.choices[0].message.content == "Scripted."
    assert completion.usage is not None
    assert completion.usage.prompt_tokens == 541
    assert completion.usage.completion_tokens == 5
    (request,) = two_key_proxy.upstream.requests
    assert (request.method, request.path) == ("POST", path)
    assert json.loads(request.body) == request.json
    assert system_on_the_wire(request.json) == SYSTEM
    assert "emulated" in (request.headers.get("x-api-key", "") + request.headers.get("authorization", ""))


@pytest.mark.parametrize(("model", "path"), ROUTES)
def test_streams(two_key_proxy: TwoKeyProxy, model: str, path: str) -> None:
    """A streamed completion joins to the scripted text and ends with its usage."""
    two_key_proxy.upstream.script("Piece by piece, to the end.")
    two_key_proxy.upstream.usage = USAGE
    with (
        two_key_proxy.openai("alpha") as client,
        client.chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": "Hi?"}],
            stream=True,
            stream_options={"include_usage": True},
        ) as stream,
    ):
        chunks = list(stream)
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text == "Piece by piece, to the end."
    usages = [chunk.usage for chunk in chunks if chunk.usage is not None]
    assert [usage.prompt_tokens for usage in usages] == [541]
    (request,) = two_key_proxy.upstream.requests
    assert request.path == path
    assert request.json["stream"] is True


def test_anthropic_sdk_through_the_proxy(two_key_proxy: TwoKeyProxy) -> None:
    """The native Messages endpoint, streamed, with an x-api-key header."""
    two_key_proxy.upstream.script("Native words.")
    with (
        two_key_proxy.anthropic("alpha") as client,
        client.messages.stream(model="claude", max_tokens=16, messages=[{"role": "user", "content": "Hi?"}]) as stream,
    ):
        assert stream.get_final_text() == "Native words."
    assert two_key_proxy.upstream.last.path == "/v1/messages"


@pytest.mark.parametrize("key", ["sk-nobody-has-this-key", "x"])
def test_unknown_key(two_key_proxy: TwoKeyProxy, key: str) -> None:
    """A key that nobody has gets 401 and the provider sees nothing."""
    with openai_client(two_key_proxy.url, key) as client, pytest.raises(openai.AuthenticationError) as error:
        ask(client, "gpt")
    assert error.value.status_code == 401
    assert two_key_proxy.upstream.requests == []


def test_no_key(two_key_proxy: TwoKeyProxy) -> None:
    """A request without any key gets 401."""
    with httpx.Client(base_url=two_key_proxy.url, trust_env=False) as client:
        response = client.post("/v1/chat/completions", json={"model": "gpt", "messages": []})
    assert response.status_code == 401
    assert two_key_proxy.upstream.requests == []


def test_the_provider_refuses_a_fifth_mark(two_key_proxy: TwoKeyProxy) -> None:
    """LiteLLM forwards five marks, and the refusal comes back as a BadRequestError."""
    blocks: list[Any] = [{"type": "text", "text": f"Part {n}.", "cache_control": MARK} for n in range(5)]
    with two_key_proxy.openai("beta") as client, pytest.raises(openai.BadRequestError, match="Found 5"):
        client.chat.completions.create(
            model="claude",
            messages=[{"role": "system", "content": blocks}, {"role": "user", "content": "Hi?"}],
        )


def test_keys_stay_out_of_the_log(two_key_proxy: TwoKeyProxy) -> None:
    """Nothing the proxy printed so far holds a key."""
    log = two_key_proxy.proxy.log()
    assert "/health/liveliness" in log
    assert [name for name, key in two_key_proxy.keys.items() if key in log] == []


@pytest.mark.full
def test_boot_without_keys_fails() -> None:
    """The example names every missing key and does not start."""
    boot = failed_boot(CONFIG, cwd=ROOT)
    assert boot.exit_code != 0
    assert "keys.yaml[0]: the environment has no ALPHA_KEY" in boot.log
    assert "keys.yaml[1]: the environment has no BETA_KEY" in boot.log


@pytest.mark.full
def test_boot_with_an_unknown_callback_fails(tmp_path: Path) -> None:
    """A callback that cannot be imported ends the process; the failure brings the log's tail."""
    config = tmp_path / "proxy_config.yaml"
    config.write_text("litellm_settings: {callbacks: [no_such_module.handler]}\n")
    with (
        pytest.raises(AssertionError, match=r"(?s)the proxy ended with [1-9].*no_such_module"),
        running_proxy(config, cwd=tmp_path),
    ):
        pytest.fail("the proxy is live")


def test_a_session_imports_litellm_once_for_its_proxies(two_key_proxy: TwoKeyProxy, tmp_path: Path) -> None:
    """They are forks of one process, unless a variable differs that LiteLLM reads while it is imported."""

    def parent(process: ProxyProcess) -> int:
        return int(Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[1])

    parents = [parent(two_key_proxy.proxy.process)]
    for env in ({"BETA_KEY": make_key()}, {"LITELLM_LOG": "ERROR"}):
        with running_proxy(ROOT / "proxy_config.yaml", env=env, cwd=tmp_path) as proxy:
            parents.append(parent(proxy.process))
        assert proxy.process.returncode is not None
    assert parents[0] == parents[1] != parents[2] == os.getpid()
