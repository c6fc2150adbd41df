"""Policy on the wire: a real proxy whose files are changed while it answers. Clients see nothing of it."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from litellm_prompt_router.files import bundled_profiles
from litellm_prompt_router.policy.watch import NOT_RELOADED
from tests.benchmarks.policy_reload import edited_under_load, messages, stopped_under_load, text_of
from tests.emulators.envelopes import Envelopes
from tests.emulators.policy_proxy import MARGIN_SECONDS, RELOAD_SECONDS, PolicyProxy, running_policy_proxy
from tests.emulators.proxy import running_proxy
from tests.emulators.two_keys import CONFIG, ROOT, TwoKeyProxy
from tests.emulators.upstream import Upstream
from tests.end_to_end.workbench import PROFILE, PROMPT, TOOLS, conversation, marks, record_of, system_text

pytestmark = [pytest.mark.proxy, pytest.mark.full]

ON = "stop: false\n"
FORGED = {
    "metadata": {"prompt_router": {"mode": "rewrite"}, "tags": ["pilot"], "user_api_key_alias": "key-0"},
    "tags": ["pilot"],
}


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PolicyProxy]:
    """Two workers; `key-1` is off by its metadata, `key-2` has nonsense there, `key-3` a tag of the proxy's."""
    metadata = {
        "key-1": {"prompt_router": {"enabled": False}},
        "key-2": {"prompt_router": {"enabeld": True, "mode": ["rewrite"]}},
        "key-3": {"tags": ["pilot"]},
    }
    with (
        Upstream() as upstream,
        Envelopes() as envelopes,
        running_policy_proxy(
            upstream, envelopes, tmp_path_factory.mktemp("policy"), workers=2, policy=ON, metadata=metadata
        ) as proxy,
    ):
        yield proxy


def set_policy(proxy: PolicyProxy, text: str, alias: str = "key-0", **expected: Any) -> None:
    """Puts this policy in place and waits until both workers have it."""
    proxy.replace(proxy.policy_path, text)
    proxy.until_all(
        lambda response: all(response.headers.get(f"x-prompt-router-{k}") == v for k, v in expected.items()),
        lambda: proxy.post(alias, messages("Sum up orders.csv by month")),
    )
    proxy.upstream.clear()


def sent(proxy: PolicyProxy) -> Any:
    (request,) = proxy.upstream.calls
    proxy.upstream.clear()
    return request.json


def test_requests_obey_a_policy_that_was_in_force_when_they_began(proxy: PolicyProxy) -> None:
    """Edited under load, broken ones among them: none fails, and both workers follow. The benchmark has it in full."""
    set_policy(proxy, text_of(0, "rewrite"), outcome="rewritten")
    found = edited_under_load(proxy, requests=120, edits=8, broken=2, pause=0.8, aliases=["key-0", "key-4", "key-5"])
    assert (found.failed, found.unrecorded, found.disobedient) == (0, 0, 0)
    assert found.late_seconds < RELOAD_SECONDS + MARGIN_SECONDS
    assert found.events <= found.breakages


def test_a_breakage_is_one_event_and_no_client_sees_it(proxy: PolicyProxy) -> None:
    set_policy(proxy, text_of(1, "off"), outcome="passthrough")
    proxy.envelopes.clear()
    proxy.replace(proxy.policy_path, "rules: [{key: [a]}]\n")
    deadline = time.monotonic() + RELOAD_SECONDS + MARGIN_SECONDS
    while not proxy.envelopes.events and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(RELOAD_SECONDS)
    events = [event for event in proxy.envelopes.events if event["message"] == "Configuration not reloaded"]
    assert len({event["event_id"] for event in events}) == 1
    assert len(events) <= proxy.workers
    assert "did you mean 'keys'?" in json.dumps(events[0])
    response = proxy.post("key-0", messages("Sum up orders.csv by month"))
    assert (response.status_code, response.headers["x-prompt-router-reason"]) == (200, "off")


def test_stop_reaches_the_wire_under_load(proxy: PolicyProxy) -> None:
    """In both workers; nothing fails on the way."""
    set_policy(proxy, text_of(2, "rewrite"), outcome="rewritten")
    _, from_file = stopped_under_load(proxy)
    assert from_file < RELOAD_SECONDS + MARGIN_SECONDS
    set_policy(proxy, ON, outcome="rewritten")


def test_a_held_out_conversation_is_left_as_it_came_in_all_respects(proxy: PolicyProxy) -> None:
    """No module is dropped, no mark set, no key named; the record has the arm and the profile."""
    set_policy(proxy, "defaults: {holdout: 1}\n", reason="holdout")
    response = proxy.post("key-0", messages("Sum up orders.csv by month"))
    body = sent(proxy)
    assert (system_text(body), marks(body)) == (PROMPT, 0)
    record = record_of(proxy.folder / "ledger.jsonl", response)
    assert (record["outcome"], record["reason"], record["arm"]) == ("passthrough", "holdout", "holdout")
    assert (record["profile"], record["is_drift"], record["breakpoints_total"]) == ("workbench", False, 0)
    assert record["conversation"].startswith("c-")
    set_policy(proxy, "defaults: {holdout: 0.000001}\n", outcome="rewritten")
    response = proxy.post("key-0", messages("Sum up orders.csv by month"))
    assert record_of(proxy.folder / "ledger.jsonl", response)["arm"] == "treatment"


def test_a_canary_is_a_share_of_conversations_and_keeps_them(proxy: PolicyProxy) -> None:
    set_policy(proxy, 'rules: [{keys: ["key-*"], percent: 0}]\n', reason="not_in_percent")

    def rewritten(percent: int) -> set[int]:
        set_policy(proxy, f"rules: [{{keys: [key-0], percent: {percent}}}, {{keys: [key-4], mode: shadow}}]\n")
        time.sleep(RELOAD_SECONDS)
        answers = {n: proxy.post("key-0", messages(f"Sum up orders-{n}.csv by month")) for n in range(40)}
        return {n for n, answer in answers.items() if answer.headers["x-prompt-router-outcome"] == "rewritten"}

    some, more = rewritten(30), rewritten(60)
    assert 0 < len(some) < len(more) < 40
    assert some < more


@pytest.mark.parametrize(
    ("alias", "headers", "body", "reason"),
    [
        pytest.param("key-1", {}, {}, "off", id="off by metadata"),
        pytest.param("key-1", {"x-prompt-router": "rewrite"}, {}, "off", id="a header that would raise"),
        pytest.param("key-1", {}, FORGED, "off", id="forged metadata"),
        pytest.param("key-1", {"x-litellm-tags": "pilot"}, {}, "off", id="a forged tag"),
        pytest.param("key-2", {}, {}, "bad_key_metadata", id="unknown key metadata"),
        pytest.param("key-2", {}, FORGED, "bad_key_metadata", id="unknown and forged"),
        pytest.param("key-0", {"x-prompt-router": "off"}, {}, "off", id="a header that lowers"),
        pytest.param("key-0", {"x-prompt-router": "; drop; \t=?="}, {}, None, id="a header of nonsense"),
        pytest.param("key-3", {}, {}, None, id="the proxy's own tag"),
    ],
)
def test_nobody_raises_their_own_mode(
    proxy: PolicyProxy, alias: str, headers: dict[str, str], body: dict[str, Any], reason: str | None
) -> None:
    """Tags that a request brings match no rule; those that the proxy set for its key do."""
    set_policy(
        proxy,
        'rules: [{tags: [pilot], mode: rewrite, name: tagged}, {keys: [key-3], mode: "off"}]\n',
        alias="key-3",
        outcome="rewritten",
    )
    response = proxy.post(alias, messages("Sum up orders.csv by month"), headers, **body)
    assert response.status_code == 200
    assert response.headers.get("x-prompt-router-reason") == reason
    record = record_of(proxy.folder / "ledger.jsonl", response)
    assert (
        record["policy"]
        == {
            "key-3": "rule 1 (tagged)",
            "key-1": "key metadata",
            "key-2": "settings",
            "key-0": "request header" if headers.get("x-prompt-router") == "off" else "settings",
        }[alias]
    )


BOMB = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10))


def policy_gone(proxy: PolicyProxy) -> None:
    proxy.policy_path.unlink()


def policy_bomb(proxy: PolicyProxy) -> None:
    proxy.replace(proxy.policy_path, BOMB)


def profile_bomb(proxy: PolicyProxy) -> None:
    proxy.replace(profile_of(proxy) / "profile.yaml", BOMB)


def told(proxy: PolicyProxy) -> set[str]:
    return {str(event.get("message")) for event in proxy.envelopes.events}


def config_bomb(proxy: PolicyProxy) -> None:
    proxy.replace(proxy.config_path, f"{BOMB}callback_settings: {{prompt_router: {{mode: *a9}}}}\n")


def module_gone(proxy: PolicyProxy) -> None:
    (profile_of(proxy) / "tools" / "git.txt").unlink()


def profiles_gone(proxy: PolicyProxy) -> None:
    shutil.rmtree(profile_of(proxy))


def module_of_50_mb(proxy: PolicyProxy) -> None:
    (profile_of(proxy) / "tools" / "git.txt").write_text("x" * 50_000_000)


def runaway_trigger(proxy: PolicyProxy) -> None:
    path = profile_of(proxy) / "profile.yaml"
    document = yaml.safe_load(path.read_text())
    document["modules"][-1]["triggers"] = ["(a+)+$"]
    proxy.replace(path, yaml.safe_dump(document, sort_keys=False))


def profile_of(proxy: PolicyProxy) -> Any:
    return proxy.folder / "profiles" / "workbench"


FAULTS = [
    policy_gone,
    policy_bomb,
    profile_bomb,
    config_bomb,
    module_gone,
    profiles_gone,
    module_of_50_mb,
    runaway_trigger,
]


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.__name__ for fault in FAULTS])
def test_faults_of_files_are_harmless(proxy: PolicyProxy, fault: Any) -> None:
    """Requests go on as they did, and it is told."""
    set_policy(proxy, ON, outcome="rewritten")
    config = proxy.config_path.read_text()
    proxy.envelopes.clear()
    try:
        fault(proxy)
        deadline = time.monotonic() + RELOAD_SECONDS + MARGIN_SECONDS
        while NOT_RELOADED not in told(proxy) and time.monotonic() < deadline:
            response = proxy.post("key-0", messages("Sum up orders.csv by month"))
            assert (response.status_code, response.headers["x-prompt-router-outcome"]) == (200, "rewritten")
        assert NOT_RELOADED in told(proxy)
        for number in range(6):
            response = proxy.post("key-0", messages(f"Sum up orders-{number}.csv by month"))
            assert (response.status_code, response.headers["x-prompt-router-outcome"]) == (200, "rewritten")
    finally:
        shutil.copytree(bundled_profiles() / "workbench", profile_of(proxy), dirs_exist_ok=True)
        proxy.replace(proxy.config_path, config)
        proxy.replace(proxy.policy_path, ON)


def test_settings_and_profiles_change_under_way(proxy: PolicyProxy) -> None:
    """A conversation whose profile is another version now says so in its record."""
    set_policy(proxy, ON, outcome="rewritten")
    talk = messages("Sum up orders-77.csv by month")
    proxy.until_all(lambda _: True, lambda: proxy.post("key-0", talk))
    path = profile_of(proxy) / "profile.yaml"
    proxy.replace(path, path.read_text().replace(f'version: "{PROFILE.version}"', "version: next", 1))
    profile = "workbench@next"
    calls: list[str] = []

    def ask() -> Any:
        response = proxy.post("key-0", talk)
        calls.append(response.headers["x-litellm-call-id"])
        return response

    proxy.until_all(lambda response: response.headers["x-prompt-router-profile"] == profile, ask)
    time.sleep(1)
    records = proxy.records()
    changed = [each for call in calls if (each := records[call]["profile_changed_from"])]
    assert len(changed) == proxy.workers, "once in each"
    assert all(each == f"{PROFILE.version}@{PROFILE.digest[:12]}" for each in changed)
    config = yaml.safe_load(proxy.config_path.read_text())
    config["callback_settings"]["prompt_router"]["mode"] = "shadow"
    proxy.replace(proxy.config_path, yaml.safe_dump(config))
    proxy.until_all(lambda response: response.headers["x-prompt-router-outcome"] == "shadow", ask)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_two_processes_send_the_same(proxy: PolicyProxy, two_key_proxy: TwoKeyProxy, stream: bool) -> None:
    """Call by call, though nothing is shared but files. With the prefix law for one, it holds for both in turn."""
    config = yaml.safe_load(proxy.config_path.read_text())
    config["callback_settings"]["prompt_router"]["mode"] = "rewrite"
    proxy.replace(proxy.config_path, yaml.safe_dump(config))
    shutil.copytree(bundled_profiles() / "workbench", profile_of(proxy), dirs_exist_ok=True)
    set_policy(proxy, ON, outcome="rewritten", profile=f"workbench@{PROFILE.version}")
    two_key_proxy.clear()
    talk = conversation()
    for end in range(2, len(talk) + 1):
        if talk[end - 1]["role"] == "assistant":
            continue
        proxy.post("key-0", talk[:end], tools=TOOLS, stream=stream)
        with two_key_proxy.openai("alpha") as client:
            given: Any = {"messages": talk[:end], "tools": TOOLS, "stream": stream}
            answer = client.chat.completions.create(model="claude", **given)
            if stream:
                list(answer)
    ours, theirs = proxy.upstream.calls, two_key_proxy.upstream.calls
    assert len(ours) == len(theirs) == 3
    assert [request.json for request in ours] == [request.json for request in theirs]


def test_shadow_sends_what_a_proxy_without_us_sends(two_key_proxy: TwoKeyProxy, tmp_path: Any) -> None:
    """Byte for byte on the wire, whole answers and streams, Claude and GPT."""
    config = yaml.safe_load(CONFIG.read_text())
    del config["litellm_settings"], config["callback_settings"]
    shutil.copy(CONFIG.with_name("key_file.py"), tmp_path)
    shutil.copy(CONFIG.with_name("keys.yaml"), tmp_path)
    path = tmp_path / "proxy_config.yaml"
    path.write_text(yaml.safe_dump(config))
    bodies: dict[str, list[bytes]] = {"shadow": [], "bare": []}
    url = two_key_proxy.upstream.url
    env = {
        "ALPHA_KEY": two_key_proxy.keys["alpha"],
        "BETA_KEY": two_key_proxy.keys["beta"],
        **{"ANTHROPIC_API_BASE": url, "ANTHROPIC_API_KEY": "emulated"},
        **{"OPENAI_API_BASE": url, "OPENAI_API_KEY": "emulated"},
    }
    with running_proxy(path, env=env, cwd=ROOT) as bare:
        for name, base in (("shadow", two_key_proxy.url), ("bare", bare.url)):
            two_key_proxy.clear()
            with two_key_proxy.openai("alpha").with_options(base_url=f"{base}/v1") as client:
                for model in ("claude", "gpt"):
                    for stream in (False, True):
                        given: Any = {"messages": conversation(), "tools": TOOLS, "stream": stream}
                        answer = client.chat.completions.create(
                            model=model, extra_headers={"x-prompt-router": "shadow"}, **given
                        )
                        if stream:
                            list(answer)
            bodies[name] = [request.body for request in two_key_proxy.upstream.calls]
    assert len(bodies["shadow"]) == 4
    assert bodies["shadow"] == bodies["bare"]
