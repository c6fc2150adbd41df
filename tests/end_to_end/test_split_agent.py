"""A prompt cut by ``split``, reviewed and served by the real proxy: requests arrive rewritten, nothing lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from litellm_prompt_router.authoring.split import Draft, split_prompt, write_draft
from tests.emulators.envelopes import Envelopes
from tests.emulators.two_keys import TwoKeyProxy, running_two_keys
from tests.emulators.upstream import Upstream
from tests.end_to_end.workbench import record_of, system_text, without_system
from tests.made_prompts import VALUES, VARIED, VERSIONS

pytestmark = [pytest.mark.proxy, pytest.mark.full]
UNSEEN = {
    "date": "2027-02-28",
    "user": "Otto Mergenthaler",
    "path": "/var/orders/1886",
    "listing": "1886/tribune.pdf",
    "notice": "<notice>\nNobody has captured this notice yet.\n</notice>\n",
}
PAPER = "paper weights and grain"
EXTRA = "\nA line that no sample had.\n"


@pytest.fixture(scope="module")
def draft() -> Draft:
    return split_prompt(VERSIONS, name="quill", target_chars=250, min_chars=60, max_chars=500, max_share=0.4)


@pytest.fixture(scope="module")
def proxy(draft: Draft, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoKeyProxy]:
    folder = tmp_path_factory.mktemp("split")
    write_draft(draft, folder / "profiles")
    review(folder / "profiles" / "quill" / "profile.yaml", module_of(draft, PAPER).id)
    env = {"PROMPT_ROUTER_PROFILES": str(folder / "profiles")}
    with (
        Upstream() as upstream,
        Envelopes() as envelopes,
        running_two_keys(upstream, envelopes, folder, env=env) as proxy,
    ):
        yield proxy


def review(path: Path, paper: str) -> None:
    """What an owner who trusts triggers does: only the first section must always be there."""
    document = yaml.safe_load(path.read_text("utf-8"))
    document["reviewed"] = True
    for module in document["modules"][1:]:
        module.pop("always", None)
        module["optional"] = True
        if module["id"] == paper:
            module["triggers"] = ["paper"]
    path.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), "utf-8")


def captured(system: str, task: str) -> dict[str, Any]:
    tools = [
        {"type": "function", "function": {"name": "paper_stock", "parameters": {"type": "object", "properties": {}}}}
    ]
    messages = [{"role": "system", "content": system}, {"role": "user", "content": task}]
    return {"model": "gpt", "messages": messages, "tools": tools}


def module_of(draft: Draft, words: str) -> Any:
    return next(module for module in draft.modules if words in module.text)


def test_a_request_is_rewritten_with_all_that_varied(proxy: TwoKeyProxy, draft: Draft, tmp_path: Path) -> None:
    body = captured(VARIED.format(**UNSEEN) + EXTRA, "Do you have cream paper in stock?")
    with proxy.openai("alpha") as client:
        answer = client.chat.completions.with_raw_response.create(**body)
    sent = proxy.upstream.last.json
    text = system_text(sent)
    for value in (*UNSEEN.values(), EXTRA):
        assert value.strip() in text
    assert PAPER in text
    dropped = [module for module in draft.modules if module.text not in text and "{{" not in module.text]
    assert dropped
    assert draft.modules[0] not in dropped
    assert without_system(sent)["messages"] == without_system(body)["messages"]
    record = record_of(proxy.ledger_path, answer)
    assert record["outcome"] == "rewritten"
    assert record["profile"] == "quill"


def test_a_message_that_cant_be_read_keeps_every_module(proxy: TwoKeyProxy, draft: Draft) -> None:
    body = captured(VARIED.format(**VALUES[1]), "пожалуйста, разбери вчерашнее")
    with proxy.openai("alpha") as client:
        client.chat.completions.create(**body)
    text = system_text(proxy.upstream.last.json)
    assert [module.id for module in draft.modules if "{{" not in module.text and module.text.strip() not in text] == []
