"""The pages on operating and deploying, and the files they show: commands exist, files parse and name what is real."""

from __future__ import annotations

import re
import shlex
import time
from pathlib import Path
from typing import Any

import yaml

from litellm_prompt_router.operations.doctor import examine
from litellm_prompt_router.policy import parse_policy
from litellm_prompt_router.policy.settings import load_settings
from tests.docs.named_calls import call_in, calls_in

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "examples" / "deploy"
PAGES = ("operations.md", "deploy.md")
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
KUBERNETES = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8")))
PROXY = yaml.safe_load((DEPLOY / "proxy_config.yaml").read_text(encoding="utf-8"))
SECTION = PROXY["callback_settings"]["prompt_router"]


def text_of(page: str) -> str:
    return (ROOT / "docs" / page).read_text(encoding="utf-8")


def test_the_pages_name_what_an_operator_needs() -> None:
    named = {call[0] for page in PAGES for call in calls_in(text_of(page))}
    assert named >= {"doctor", "status", "serve", "policy", "stop", "start", "check"}


def test_policies_on_the_pages_are_policies() -> None:
    text = text_of("operations.md")
    blocks = re.findall(r"^( *)```yaml\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    found = [(indent, block) for indent, block in blocks if not block.startswith("callback_settings:")]
    assert len(found) == 4
    for indent, block in found:
        raw = "\n".join(line.removeprefix(indent) for line in block.splitlines())
        assert parse_policy(raw, "page", ()).defaults.mode == "shadow"


def test_the_example_is_valid_and_in_order(tmp_path: Path) -> None:
    """Settings, policy and place in LiteLLM's file; everyone starts in shadow."""
    settings = load_settings(SECTION, {})
    assert settings.policy == Path("/config/policy/policy.yaml")
    policy = parse_policy((DEPLOY / "policy.yaml").read_text(encoding="utf-8"), "policy.yaml", ())
    assert (policy.stop, policy.defaults.mode) == (False, "shadow")
    here = {**SECTION, "policy": str(DEPLOY / "policy.yaml"), "profiles": str(ROOT / "modules")}
    here["ledger"] = {"path": str(tmp_path / "ledger.jsonl")}
    document = {**PROXY, "callback_settings": {"prompt_router": here}, "model_list": []}
    levels = {finding.check: finding.level for finding in examine(tmp_path / "x.yaml", document, {}, time.time())}
    assert {name for name, level in levels.items() if level == "fail"} == {"Redis"}
    assert (levels["policy"], levels["callback"], levels["settings' place"]) == ("ok", "ok", "ok")


def mounted(mounts: dict[str, str], path: str) -> bool:
    return any(path == place or path.startswith(f"{place}/") for place in mounts)


def test_compose_names_what_is_there() -> None:
    """Variables that settings read, mounts that exist, paths that the configuration names, the image's user."""
    services = COMPOSE["services"]
    proxy = services["proxy"]
    mounts = {volume.split(":")[1]: volume.split(":")[0] for volume in proxy["volumes"]}
    for path in (str(SECTION["policy"]), str(SECTION["ledger"]["path"]), proxy["command"][3]):
        assert mounted(mounts, path), path
    for service in services.values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert (DEPLOY / source).exists() if source.startswith(".") else source in COMPOSE["volumes"], source
        for name in service.get("depends_on", ()):
            assert name in services
    assert f"chown -R {user()} " in services["policy-seed"]["command"][2]
    assert (DEPLOY / proxy["build"] / "Dockerfile").exists()
    referred = {value.removeprefix("os.environ/") for value in strings(PROXY) if value.startswith("os.environ/")}
    assert referred <= set(proxy["environment"])
    ours = {name: "http://k@h/1" for name in proxy["environment"] if name.startswith(("PROMPT_ROUTER_", "GLITCHTIP"))}
    assert load_settings(SECTION, ours).glitchtip.errors_dsn == "http://k@h/1"
    assert call_in(shlex.join(proxy["command"])) is not None


def test_the_manifest_names_what_is_there() -> None:
    """Probes on real routes and the named port, whole folders from ConfigMaps, the image's user."""
    deployment, service = KUBERNETES
    pod = deployment["spec"]["template"]
    [container] = pod["spec"]["containers"]
    assert pod["metadata"]["labels"] == deployment["spec"]["selector"]["matchLabels"] == service["spec"]["selector"]
    assert pod["spec"]["securityContext"]["runAsUser"] == int(user())
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert str(ports["http"]) == container["command"][-1]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = container[probe]["httpGet"]
        assert asked["path"] in ("/health/liveliness", "/health/readiness")
        assert asked["port"] in ports
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    assert not any("subPath" in mount for mount in container["volumeMounts"])
    assert set(mounts.values()) == {volume["name"] for volume in pod["spec"]["volumes"]}
    for path in (SECTION["policy"], SECTION["ledger"]["path"], container["command"][3]):
        assert mounted(mounts, path), path
    assert call_in(shlex.join(container["command"])) is not None
    assert service["spec"]["ports"][0]["targetPort"] in ports


def user() -> str:
    found = re.search(r"useradd .*--uid (\d+)", DOCKERFILE)
    assert found is not None
    return found[1]


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) else []
