"""The example's identities, as the proxy hands them to a callback, and the form of its key file."""

from __future__ import annotations

import json
import runpy
import shutil
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from litellm.proxy._types import UserAPIKeyAuth, hash_token

from litellm_prompt_router.policy.litellm_config import CALLBACK
from tests.emulators.envelopes import Envelopes
from tests.emulators.two_keys import CONFIG, KeyName, TwoKeyProxy, running_two_keys
from tests.emulators.upstream import Upstream

# litellm.proxy warns of its own types when a process first imports it.
pytestmark = pytest.mark.filterwarnings("ignore:Items? .* on TypedDict class:UserWarning")

RECORDER = """
import json, os
from litellm.integrations.custom_logger import CustomLogger

class Recorder(CustomLogger):
    async def async_pre_call_hook(self, user_api_key_dict, cache, data, call_type):
        who = user_api_key_dict
        line = json.dumps([who.key_alias, who.team_id, who.metadata, who.api_key])
        with open(os.environ["RECORDED"], "a") as file:
            file.write(line + "\\n")

handler = Recorder()
"""

ReadKeys = Callable[[Path, dict[str, str]], dict[str, UserAPIKeyAuth]]


@pytest.fixture
def read_keys(monkeypatch: pytest.MonkeyPatch) -> ReadKeys:
    """The example's reader, from its file as LiteLLM loads it."""
    monkeypatch.setenv("ALPHA_KEY", "a")
    monkeypatch.setenv("BETA_KEY", "b")
    reader: ReadKeys = runpy.run_path(str(CONFIG.with_name("key_file.py")))["read_keys"]
    return reader


@pytest.mark.full
@pytest.mark.proxy
def test_callbacks_see_who_asks(upstream: Upstream, envelopes: Envelopes, tmp_path: Path) -> None:
    """Alias, team and metadata of each key reach a callback's pre-call hook; the key itself does not."""
    example = tmp_path / "example"
    shutil.copytree(CONFIG.parent, example)
    config = example / CONFIG.name
    config.write_text(config.read_text().replace(CALLBACK, "recorder.handler"))
    (tmp_path / "recorder.py").write_text(RECORDER)
    recorded = tmp_path / "recorded.jsonl"
    with running_two_keys(
        upstream,
        envelopes,
        tmp_path,
        env={"RECORDED": str(recorded)},
        config_path=config,
        cwd=tmp_path,
    ) as proxy:
        for key in ("alpha", "beta", "master"):
            with proxy.openai(key) as client:
                client.chat.completions.create(model="gpt", messages=[{"role": "user", "content": "Hi?"}])
        keys = proxy.keys
    assert proxy.proxy.process.returncode is not None
    assert [json.loads(line) for line in recorded.read_text().splitlines()] == [
        ["alpha", "team-a", {"prompt_router": {"enabled": True}}, hash_token(keys["alpha"])],
        ["beta", "team-b", {"prompt_router": {"enabled": False}}, hash_token(keys["beta"])],
        [None, None, {}, "litellm_proxy_master_key"],
    ]


@pytest.mark.proxy
@pytest.mark.parametrize(("key", "is_admin"), [("master", True), ("alpha", False), ("beta", False)])
def test_only_the_master_key_is_admin(two_key_proxy: TwoKeyProxy, key: KeyName, is_admin: bool) -> None:
    """An admin route answers the master key alone."""
    with httpx.Client(base_url=two_key_proxy.url, trust_env=False, timeout=30) as client:
        response = client.get("/get/config/callbacks", headers={"Authorization": f"Bearer {two_key_proxy.keys[key]}"})
    # Refused, though as a 500 where Prisma is not installed: LiteLLM imports it to word the refusal.
    assert response.is_success == is_admin


def test_a_key_may_be_given_as_its_hash(read_keys: ReadKeys, tmp_path: Path) -> None:
    """A SHA-256 stands for the key, which then need not be in the environment."""
    path = tmp_path / "keys.yaml"
    path.write_text(f"- {{alias: gamma, key: {hash_token('sk-gamma')}}}\n")
    assert [identity.key_alias for identity in read_keys(path, {}).values()] == ["gamma"]


def test_every_problem_at_once(read_keys: ReadKeys, tmp_path: Path) -> None:
    """A bad key file is refused with all that is wrong in it."""
    path = tmp_path / "keys.yaml"
    path.write_text(
        "- {alias: a, key: os.environ/A_KEY}\n"
        "- {alias: b, key: os.environ/A_KEY}\n"
        "- {alias: c, key: os.environ/C_KEY}\n"
        "- {alias: d, key: sk-in-the-clear}\n"
        "- {alias: e, key: os.environ/A_KEY, budget: 3}\n"
    )
    with pytest.raises(ValueError, match="the same key") as error:
        read_keys(path, {"A_KEY": "sk-a"})
    assert str(error.value).splitlines() == [
        "keys.yaml[1]: the same key as a",
        "keys.yaml[2]: the environment has no C_KEY",
        "keys.yaml[3]: wanted a key as os.environ/NAME or its SHA-256 in hex",
        "keys.yaml[4]: wanted alias and key, with team_id, metadata and team_metadata if need be",
    ]
