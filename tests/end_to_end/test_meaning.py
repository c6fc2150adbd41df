"""The semantic option through a real proxy: a model group of its own, asked over loopback."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from litellm_prompt_router.profile.profile import Profile
from tests.emulators.embeddings import Embedder, Fault
from tests.emulators.envelopes import Envelopes
from tests.emulators.line_files import whole_lines
from tests.emulators.two_keys import CONFIG, KeyName, TwoKeyProxy, running_two_keys
from tests.emulators.upstream import Upstream
from tests.end_to_end.test_events import titled
from tests.end_to_end.workbench import record_of, system_text
from tests.made_embeddings import Telling, embedded_profile, lookup, modules_of, telling

pytestmark = [pytest.mark.proxy, pytest.mark.full]

GROUP = "meaning"
TIMEOUT_SECONDS = 4.0
LATE_SECONDS = 9.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Harbour:
    """The proxy, the embedding model behind it, and messages that only their meaning routes as it does."""

    proxy: TwoKeyProxy
    embedder: Embedder
    profile: Profile
    telling: tuple[Telling, ...]

    def ask(self, *texts: str, key: KeyName = "alpha") -> Any:
        """One call of a conversation with these user messages."""
        messages: list[Any] = [{"role": "system", "content": self.profile.text}]
        for text in texts:
            messages += [{"role": "user", "content": text}, {"role": "assistant", "content": "Done."}]
        with self.proxy.openai(key) as client:
            return client.chat.completions.with_raw_response.create(model="claude", messages=messages[:-1])

    def modules(self, raw: Any) -> tuple[str, ...]:
        record = record_of(self.proxy.ledger_path, raw)
        return tuple(entry["id"] for entry in record["modules"])

    def prompts(self) -> list[str]:
        return [system_text(request.json) for request in self.proxy.upstream.calls]


@pytest.fixture(scope="module")
def harbour_running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harbour]:
    folder = tmp_path_factory.mktemp("meaning")
    profile = embedded_profile(folder / "profiles", GROUP, TIMEOUT_SECONDS)
    with Upstream() as upstream, Envelopes() as envelopes, Embedder() as embedder:
        config_path = _config(folder, embedder)
        env = {"PROMPT_ROUTER_PROFILES": str(folder / "profiles"), "PROMPT_ROUTER_COST_GATE": "false"}
        with running_two_keys(upstream, envelopes, folder, env=env, config_path=config_path) as proxy:
            yield Harbour(proxy=proxy, embedder=embedder, profile=profile, telling=tuple(telling(profile, 6)))


@pytest.fixture
def harbour(harbour_running: Harbour) -> Harbour:
    harbour_running.proxy.clear()
    harbour_running.embedder.clear()
    return harbour_running


def _config(folder: Path, embedder: Embedder) -> Path:
    copied = folder / "config"
    shutil.copytree(CONFIG.parent, copied)
    path = copied / CONFIG.name
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    params = {"model": "openai/emulated-embeddings", "api_base": embedder.url, "api_key": "emulated"}
    document["model_list"].append({"model_name": GROUP, "litellm_params": params})
    document["router_settings"] = {"disable_cooldowns": True}
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


def expected(harbour: Harbour, texts: Sequence[str]) -> tuple[str, ...]:
    return modules_of(harbour.profile, texts, lookup)


def test_meaning_selects_and_is_asked_for_once(harbour: Harbour) -> None:
    """One call for a new message, none for the same conversation again, and a record of each request alone."""
    one = harbour.telling[0]
    first = harbour.ask(one.text)
    assert harbour.modules(first) == one.fused != one.by_words
    assert harbour.embedder.batches == [[one.text]]
    assert harbour.modules(harbour.ask(one.text)) == one.fused
    assert harbour.embedder.batches == [[one.text]]
    assert len(set(harbour.prompts())) == 1
    lines = whole_lines(harbour.proxy.ledger_path)
    assert len(lines) == 2, "asking the model is no request of an agent's"


def test_all_new_messages_of_a_conversation_go_in_one_call(harbour: Harbour) -> None:
    one, other, third = (item.text for item in harbour.telling[1:4])
    record = harbour.modules(harbour.ask(one, "yes, go on", other))
    assert record == expected(harbour, [one, "yes, go on", other])
    assert harbour.embedder.batches == [[one, other]], "a follow-up is no task, and isn't sent"
    harbour.ask(one, "yes, go on", other, third)
    assert harbour.embedder.batches == [[one, other], [third]]
    first, second = harbour.prompts()
    assert second.startswith(first), "a conversation's prompt stays"


def test_nothing_is_sent_for_a_key_that_is_off(harbour: Harbour) -> None:
    harbour.ask(harbour.telling[4].text, key="beta")
    assert harbour.embedder.batches == []
    assert harbour.prompts() == [harbour.profile.text]


def test_a_late_answer_leaves_words_and_the_prompt_stays(harbour: Harbour) -> None:
    """The last test here: for some seconds after a failure the model is left in peace."""
    slow, new = harbour.telling[4], harbour.telling[5]
    harbour.embedder.faults.append(Fault(delay_seconds=LATE_SECONDS))
    assert harbour.modules(harbour.ask(slow.text)) == slow.by_words != slow.fused
    assert harbour.modules(harbour.ask(slow.text)) == slow.by_words
    assert harbour.modules(harbour.ask(new.text)) == new.by_words
    assert harbour.embedder.batches == [[slow.text]], "asked once; then nobody waits"
    again = harbour.modules(harbour.ask(harbour.telling[0].text))
    assert again == harbour.telling[0].fused, "what is known stays known"
    event = titled(harbour.proxy.envelopes, "Embedding model failed")
    assert slow.text not in str(event)
    assert harbour.prompts()[0] == harbour.prompts()[1]
