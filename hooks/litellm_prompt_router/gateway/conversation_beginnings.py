"""How each conversation began whose provider holds replayed thinking to what stands ahead of it: so it goes on.

Such a provider answers 400 once anything ahead of a replayed thinking block has changed. So where a request replays
thinking, the policy and the profiles that its conversation began with decide on it, whatever is in force by now; one
that nobody saw begin was not rewritten when it did, and stays so. Noted is which policy it was and under which
configuration: no text. Processes share that through LiteLLM's Redis or the folder of the status files: written in the
background when a conversation begins, looked up once by a process that doesn't know it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections import OrderedDict
from collections.abc import Coroutine, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from litellm_prompt_router.gateway.models.agreed_values import AgreedStore, FileValues, RedisValues
from litellm_prompt_router.policy import Policy
from litellm_prompt_router.policy.active import ActiveConfiguration
from litellm_prompt_router.process_memory.bounded import register_memory

BEGINNINGS_PREFIX = "prompt_router:beginning:1:"
BEGINNINGS_FILE = "conversation_beginnings.sqlite3"
MAX_BEGINNINGS = 20_000
"""Conversations in memory, some 500 bytes each; a store knows others."""
MAX_UNANSWERED = 8_192
MAX_STORED = 200_000
MAX_CONFIGURATIONS = 4
"""Configurations that stay loaded for conversations which began under them: profiles' older versions among them."""
KEPT_SECONDS = 86_400
"""From the beginning on, in the store. In memory until others take the place."""
LOOK_SECONDS = 1.0
WRITE_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Beginning:
    """What a conversation began with. ``configuration``: a digest of all that decides on prompts beside the policy."""

    configuration: str
    policy: Policy


PASSED_BEGINNING = Beginning(
    configuration="",
    policy=Policy(
        mode="off",
        profile=None,
        percent=100.0,
        holdout=0.0,
        placement=None,
        router_model=False,
        source="as the conversation began",
    ),
)
"""Of a conversation that was left alone when it began, whatever was the reason, or that nobody saw begin."""


class ConversationBeginnings:
    """What conversations began with, in this process's memory. For one event loop.

    ``folder``: where processes share it that have no Redis in common. Two conversations of one key that open with the
    same words have one id; the signatures of their own first thinking tell them apart.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._file = (
            FileValues[str](folder / BEGINNINGS_FILE, str, _text, "prompt-router-beginnings", max_rows=MAX_STORED)
            if folder is not None
            else None
        )
        self._store: AgreedStore[str] | None = self._file
        self._redis: Any = None
        self._begun: OrderedDict[str, tuple[Beginning, ...]] = OrderedDict()
        self._signed: OrderedDict[tuple[str, str], Beginning] = OrderedDict()
        self._unanswered: OrderedDict[str, tuple[str, Beginning]] = OrderedDict()
        self._configurations: OrderedDict[str, ActiveConfiguration] = OrderedDict()
        self._latest: tuple[ActiveConfiguration, str] | None = None
        self._background: set[asyncio.Task[Any]] = set()
        self.kept_going = 0
        """Requests that went on as they began though something else is in force."""
        register_memory(self, "conversation beginnings", MAX_BEGINNINGS, lambda it: len(it._begun))
        register_memory(self, "signed conversations", MAX_BEGINNINGS, lambda it: len(it._signed))

    def share_through(self, redis: Any) -> None:
        """Takes LiteLLM's Redis in place of the file, if it has one."""
        if redis is not self._redis:
            self._redis = redis
            self._store = self._file if redis is None else RedisValues[str](redis, BEGINNINGS_PREFIX, str, _text)

    def id_of(self, configuration: ActiveConfiguration) -> str:
        """The digest of what decides on prompts beside the policy. The configuration stays loaded for a while."""
        if self._latest is None or self._latest[0] is not configuration:
            self._latest = configuration, _digest(configuration)
        own = self._latest[1]
        if self._configurations.get(own) is not configuration:
            self._configurations[own] = configuration
            self._configurations.move_to_end(own)
            if len(self._configurations) > MAX_CONFIGURATIONS:
                self._configurations.popitem(last=False)
        return own

    def configuration(self, beginning: Beginning, otherwise: ActiveConfiguration) -> ActiveConfiguration:
        """That which a conversation began with; ``otherwise`` where it isn't loaded any more."""
        return self._configurations.get(beginning.configuration, otherwise)

    @property
    def may_know(self) -> bool:
        """False where nobody can have seen any conversation begin rewritten: then nothing need be read."""
        return bool(self._begun) or self._store is not None

    @property
    def has_begun(self) -> bool:
        """Whether this process saw any conversation begin."""
        return bool(self._begun)

    def goes_by(self, conversation: str, beginning: Beginning, call: str, *, is_beginning: bool) -> None:
        """Notes what a conversation goes by that replays no thinking. One that begins may be another of the same id."""
        self._unanswered[call] = conversation, beginning
        if len(self._unanswered) > MAX_UNANSWERED:
            self._unanswered.popitem(last=False)
        begun = self._begun.get(conversation, ())
        if begun and begun[-1] == beginning:
            self._begun.move_to_end(conversation)
            return
        self._note(conversation, (*begun[-1:], beginning) if is_beginning else (beginning,))
        if self._store is not None:  # the latest counts, where one id has several
            self._in_the_background(self._store.renew(conversation, _written(beginning), KEPT_SECONDS))

    def answered(self, call: str, thinking: str | None) -> None:
        """Ties what the call went by to the thinking that its answer begins with: from now on that alone names it."""
        found = self._unanswered.pop(call, None)
        if found is None or thinking is None:
            return
        conversation, beginning = found
        self._sign(conversation, thinking, beginning)
        begun = tuple(each for each in self._begun.get(conversation, ()) if each != beginning)
        self._note(conversation, begun)
        if self._store is not None:
            self._in_the_background(self._store.renew(conversation, "[]", KEPT_SECONDS))
            own = f"{conversation}:{thinking}"
            self._in_the_background(self._store.renew(own, _written(beginning), KEPT_SECONDS))

    def passed_unseen(self, conversation: str, thinking: str) -> None:
        """Notes that nobody saw the conversation begin, so that nobody is asked again."""
        self._sign(conversation, thinking, PASSED_BEGINNING)

    def knows(self, conversation: str) -> bool:
        """Whether anybody saw it begin, as far as this process knows."""
        return conversation in self._begun

    def of(self, conversation: str, thinking: str) -> Beginning | None:
        """What a conversation began with that replays ``thinking``; None: unknown."""
        signed = conversation, thinking
        known = self._signed.get(signed)
        if known is None:
            begun = self._begun.get(conversation)
            if not begun:
                return None
            known = begun[0]  # not told of its answer yet; the earlier one is answered earlier
            self._note(conversation, begun[1:])
            self._sign(conversation, thinking, known)
        else:
            self._signed.move_to_end(signed)
        return known

    async def look_up(self, conversation: str, thinking: str) -> None:
        """Has what the store knows of the conversation in memory afterwards; nothing where nobody knows it."""
        own = f"{conversation}:{thinking}"
        found: Mapping[str, str] = {}
        if self._store is not None:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(LOOK_SECONDS):
                    found = await self._store.read([own, conversation])
        beginning = _read(found.get(own) or found.get(conversation) or "")
        if beginning is not None and (conversation, thinking) not in self._signed:
            self._sign(conversation, thinking, beginning)

    def close(self) -> None:
        """Writes what waits. May be called again."""
        if self._file is not None:
            self._file.close()

    def _sign(self, conversation: str, thinking: str, beginning: Beginning) -> None:
        self._signed[conversation, thinking] = beginning
        if len(self._signed) > MAX_BEGINNINGS:
            self._signed.popitem(last=False)

    def _note(self, conversation: str, begun: tuple[Beginning, ...]) -> None:
        self._begun[conversation] = begun
        self._begun.move_to_end(conversation)
        if len(self._begun) > MAX_BEGINNINGS:
            self._begun.popitem(last=False)

    def _in_the_background(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(_quietly(work))
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def _digest(configuration: ActiveConfiguration) -> str:
    settings = configuration.settings
    facts = [
        settings.coverage_floor,
        settings.placement,
        settings.cache_hints,
        settings.cost_gate,
        sorted((profile.name, profile.digest, profile.router) for profile in configuration.profiles),
    ]
    return hashlib.sha256(json.dumps(facts, default=str).encode()).hexdigest()[:16]


def _written(beginning: Beginning) -> str:
    return json.dumps([beginning.configuration, asdict(beginning.policy)])


def _read(text: str) -> Beginning | None:
    try:
        configuration, policy = json.loads(text)
        return Beginning(configuration=str(configuration), policy=Policy(**policy))
    except (ValueError, TypeError):
        return None


async def _quietly(work: Coroutine[Any, Any, Any]) -> None:
    with contextlib.suppress(Exception):
        async with asyncio.timeout(WRITE_SECONDS):
            await work


def _text(value: object) -> str:
    if isinstance(value, list):  # LiteLLM's Redis reads what is JSON
        return json.dumps(value)
    if not isinstance(value, str):
        raise TypeError("no beginning")
    return value
