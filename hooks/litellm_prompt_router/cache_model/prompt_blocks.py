"""A request on the wire -> the blocks that the provider reads, in its order.

- Anthropic reads tools, system, messages (platform.claude.com/docs/en/build-with-claude/prompt-caching); OpenAI
  reads tools ahead of the messages: they belong to the "initial tokens" it routes by
  (developers.openai.com/api/docs/guides/prompt-caching). Both checked 2026-11.
- Settings outside the messages that change the rendered prompt are part of the first block they reach:
  Anthropic's ``tool_choice``, thinking, effort and the presence of images reach messages, ``speed`` and citations
  reach system (same page, "What invalidates the cache"); OpenAI's output schema, effort, verbosity and
  ``parallel_tool_calls`` reach everything.
- A block's key is order-sensitive, as the provider's prefix is: the same JSON with its keys shuffled is another
  block. Its tokens are not: they come from names, texts and canonical JSON, so that they are the same everywhere.
- OpenAI's cache knows no blocks but tokens, so that two long texts may share a part. Texts are cut into short
  pieces at places that depend only on what comes before. They share what the whole text comes to.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate, chain, pairwise
from typing import Any, Literal, NamedTuple

from litellm_prompt_router.cache_model.block_content import (
    IMAGE_TOKENS,
    as_blocks,
    content_text,
    key_of,
    leading_count,
    lifetime_of,
    long_texts_hashed,
    message_endings,
    openai_parts,
    tool_text,
    without_marks,
)
from litellm_prompt_router.cache_model.equivalent_bodies import chat_of_responses
from litellm_prompt_router.cache_model.known_tools import KnownTools
from litellm_prompt_router.cache_model.remembered_blocks import RememberedBlocks
from litellm_prompt_router.process_memory.bounded import register_memory

Section = Literal["tools", "system", "messages"]
Lifetime = Literal["5m", "30m", "1h"]
"""How long an entry written at a mark lives; ``30m`` is an OpenAI breakpoint."""
Run = Literal["tool_use", "tool_result"]

CountTokens = Callable[[str], int]

FRAMING_TOKENS = 4
"""What a block (OpenAI: a message, call or tool) costs beside its content. Ours: providers publish no figure."""
PIECE_CHARS = 512
"""About 128 tokens, OpenAI's step."""
MEMO_ENTRIES = 65_536

_PIECE = re.compile(rf".{{1,{PIECE_CHARS}}}\S{{0,128}}", re.DOTALL)
_UNMARKABLE = frozenset({"thinking", "redacted_thinking"})
"""Can't carry a mark (platform.claude.com, "What cannot be cached", checked 2026-11)."""


class Block(NamedTuple):
    """One block. ``key`` is a 64-bit content hash that takes in role, type and framing, but no mark.

    Simulated traffic builds blocks from integers alone: ``Block(key, tokens)`` or ``Block(key, tokens, "5m")``.
    """

    key: int
    tokens: int
    mark: Lifetime | None = None
    section: Section = "messages"
    run: Run | None = None
    """Neighbours with the same run count as one position of Anthropic's lookback."""
    is_ending: bool = False
    """The end of a message at which GPT-5.6 may place its implicit breakpoint."""
    is_framed: bool = True
    """False for the further pieces of a message, which cost no framing of their own."""
    is_answer: bool = False
    """Part of a message that the model wrote."""


class ReadPrompt(NamedTuple):
    """A body's blocks. ``prompt``: tools and system; ``messages``: each one's behind them."""

    prompt: tuple[Block, ...]
    messages: tuple[tuple[Block, ...], ...]
    cites: bool = False
    """A message of the body has citations on."""
    shows: bool = False
    """One has an image."""
    can_be_marked: bool = True
    """One has a block that may bear a mark."""

    @property
    def blocks(self) -> tuple[Block, ...]:
        return (*self.prompt, *chain.from_iterable(self.messages))


class KnownHistory(NamedTuple):
    """What was read of the first messages behind the system prompt."""

    blocks: tuple[Block, ...]
    cites: bool = False
    shows: bool = False


class BlockReader:
    """Bodies -> blocks. Sizes are remembered by content, so that a block of many bodies is counted once."""

    def __init__(self, count_tokens: CountTokens, known_tools: KnownTools | None = None) -> None:
        self._count_tokens = count_tokens
        self._known_tools = KnownTools() if known_tools is None else known_tools
        self._memo: dict[int, int] = {}
        self._sizes_of: dict[tuple[int, int], tuple[int, ...]] = {}
        register_memory(self, "token counts of blocks", MEMO_ENTRIES, lambda it: len(it._memo))
        register_memory(self, "token counts of pieces", MEMO_ENTRIES, lambda it: len(it._sizes_of))
        self._prompts: RememberedBlocks[Block] = RememberedBlocks("blocks of prompts")
        self._messages: RememberedBlocks[Block] = RememberedBlocks("blocks of messages")

    # Anthropic

    def anthropic(self, body: Mapping[str, Any]) -> tuple[Block, ...]:
        """The blocks of an Anthropic Messages body."""
        return self.anthropic_prompt(body).blocks

    def anthropic_prompt(self, body: Mapping[str, Any], before: KnownHistory | None = None) -> ReadPrompt:
        """The same, message by message. ``before``: what was read of messages that stand ahead of the body's."""
        reach = _Reach(body, before)
        tools, system = body.get("tools") or (), as_blocks(body.get("system"))
        frame = reach.settings("system") if system else []
        prompt = [
            *self._tool_blocks(tools, [], lambda: [self._anthropic_block("tools", [], tool) for tool in tools]),
            *self._prompts.of(
                ("system", long_texts_hashed([system, frame])),
                lambda: [self._anthropic_block("system", [] if n else frame, raw) for n, raw in enumerate(system)],
            ),
        ]
        messages: list[list[Block]] = []
        last: tuple[list[Block], int] | None = None
        for message in body.get("messages") or ():
            content = as_blocks(message.get("content"))
            due = reach.settings("messages") if content else []
            role = message.get("role")
            blocks = list(self._messages.of((due, role, content), partial(self._anthropic_message, due, role, content)))
            for number, raw in enumerate(content):
                if _may_be_marked(raw):
                    last = blocks, number
            messages.append(blocks)
        can_end = last is not None
        automatic = lifetime_of(body.get("cache_control"))
        if automatic and last is None:
            ahead = [number for number, raw in enumerate([*tools, *system]) if _may_be_marked(raw)]
            last = (prompt, ahead[-1]) if ahead else None
        if automatic and last is not None and last[0][last[1]].mark is None:
            last[0][last[1]] = last[0][last[1]]._replace(mark=automatic)
        return ReadPrompt(tuple(prompt), tuple(map(tuple, messages)), reach.cites, reach.shows, can_end)

    def _anthropic_message(self, due: list[Any], role: Any, content: Sequence[Mapping[str, Any]]) -> Iterator[Block]:
        for number, raw in enumerate(content):
            block = self._anthropic_block("messages", [*([] if number else due), role, number == 0], raw)
            yield block._replace(is_answer=True) if role == "assistant" else block

    def _anthropic_block(self, section: Section, frame: list[Any], raw: Mapping[str, Any]) -> Block:
        key = key_of([section, *frame, without_marks(raw)])
        kind = raw.get("type")
        run: Run | None = kind if section == "messages" and kind in ("tool_use", "tool_result") else None
        return Block(
            key=key,
            tokens=self._tokens(key, tool_text if section == "tools" else content_text, raw),
            mark=lifetime_of(raw.get("cache_control")),
            section=section,
            run=run,
        )

    # OpenAI

    def openai(self, body: Mapping[str, Any]) -> tuple[Block, ...]:
        """The blocks of an OpenAI Chat or Responses body. A long text is several blocks."""
        return self.openai_prompt(body).blocks

    def openai_prompt(self, body: Mapping[str, Any]) -> ReadPrompt:
        """The same, message by message."""
        body = chat_of_responses(body) if "input" in body else body
        settings = {name: body[name] for name in _OPENAI_SETTINGS if body.get(name) is not None}
        tools, messages = body.get("tools") or (), body.get("messages") or ()
        options = body.get("prompt_cache_options") or {}
        leading = leading_count(messages)
        endings = frozenset() if options.get("mode") == "explicit" else message_endings(messages, leading)
        ahead = [] if tools else [settings]
        prompt = (
            *self._tool_blocks(tools, [settings], lambda: self._openai_tools(tools, settings)),
            *self._prompts.of(
                ("openai", long_texts_hashed([ahead, messages[:leading], leading - 1 in endings])),
                lambda: chain.from_iterable(
                    self._openai_blocks(message, "system", [] if number else ahead, number in endings)
                    for number, message in enumerate(messages[:leading])
                ),
            ),
        )
        later = [
            self._openai_blocks(
                message, "messages", [settings] if not (prompt or number > leading) else [], number in endings
            )
            for number, message in enumerate(messages[leading:], leading)
        ]
        return ReadPrompt(prompt, tuple(later))

    def _openai_tools(self, tools: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]) -> Iterator[Block]:
        frame: list[Any] = [settings]
        for tool in tools:
            key = key_of(["tools", *frame, without_marks(tool)])
            yield Block(key=key, tokens=self._tokens(key, tool_text, tool.get("function") or tool), section="tools")
            frame = []

    def _openai_blocks(
        self, message: Mapping[str, Any], section: Section, settings: list[Any], is_ending: bool
    ) -> tuple[Block, ...]:
        return self._messages.of(
            ("openai", message, section, settings, is_ending),
            lambda: self._openai_blocks_read(message, section, settings, is_ending),
        )

    def _openai_blocks_read(
        self, message: Mapping[str, Any], section: Section, settings: list[Any], is_ending: bool
    ) -> tuple[Block, ...]:
        pieces = list(self._openai_message(message, section, settings))
        if is_ending:
            pieces[-1] = pieces[-1]._replace(is_ending=True)
        if message.get("role") == "assistant":
            pieces = [piece._replace(is_answer=True) for piece in pieces]
        return tuple(pieces)

    def _openai_message(self, message: Mapping[str, Any], section: Section, settings: list[Any]) -> Iterator[Block]:
        frame: list[Any] = [*settings, *(message.get(name) for name in ("role", "name", "tool_call_id"))]
        framing = FRAMING_TOKENS
        for text, rest, mark in openai_parts(message):
            pieces = _PIECE.findall(text) or [""]
            for number, (piece, size) in enumerate(zip(pieces, self._sizes(text, pieces), strict=True)):
                key = key_of([section, *frame, piece, rest])
                tokens = framing + size
                if rest is not None and not piece:
                    tokens += IMAGE_TOKENS
                is_last = number == len(pieces) - 1
                ends = mark if is_last else None
                yield Block(key=key, tokens=tokens, mark=ends, section=section, is_framed=framing > 0)
                frame, framing = [], 0
        for call in message.get("tool_calls") or ():
            function = call.get("function") or {}
            key = key_of([section, *frame, without_marks(call)])
            text = f"{function.get('name')}\n{function.get('arguments')}"
            yield Block(key=key, tokens=self._tokens(key, str, text), section=section)
            frame, framing = [], 0
        if framing:
            yield Block(key=key_of([section, *frame]), tokens=framing, section=section)

    def _sizes(self, text: str, pieces: Sequence[str]) -> Sequence[int]:
        """The tokens of each piece. Together they are what the whole text is: cuts are ours, not the provider's."""
        name = (hash(text), len(text))
        sizes = self._sizes_of.get(name)
        if sizes is None:
            until = list(accumulate(map(self._count_tokens, pieces), initial=0))
            if until[-1]:
                whole = self._count_tokens(text)
                until = [round(end * whole / until[-1]) for end in until]
            sizes = tuple([end - start for start, end in pairwise(until)])
            if len(self._sizes_of) >= MEMO_ENTRIES:
                self._sizes_of.pop(next(iter(self._sizes_of)))
            self._sizes_of[name] = sizes
        return sizes

    # Both

    def _tool_blocks(self, tools: Any, frame: list[Any], read: Callable[[], Iterable[Block]]) -> tuple[Block, ...]:
        """The blocks of the declared tools; ``frame``: settings that are part of the first one, for OpenAI."""
        found = self._known_tools.fact(tools, ("blocks", repr(frame)), lambda: tuple(read())) if tools else ()
        return self._prompts.of(("tools", frame, tools), read) if found is None else found

    def _tokens(self, key: int, text_of: Callable[[Any], str | int], raw: object) -> int:
        size = self._memo.get(key)
        if size is None:
            content = text_of(raw)
            size = FRAMING_TOKENS + (content if isinstance(content, int) else self._count_tokens(content))
            if len(self._memo) >= MEMO_ENTRIES:
                self._memo.pop(next(iter(self._memo)))
            self._memo[key] = size
        return size


_OPENAI_SETTINGS = ("response_format", "reasoning_effort", "verbosity", "parallel_tool_calls")


class _Reach:
    """Settings that change the prompt from some section on; each belongs to the first block that it reaches."""

    def __init__(self, body: Mapping[str, Any], before: KnownHistory | None) -> None:
        outer = [block for m in body.get("messages") or () for block in as_blocks(m.get("content"))]
        kinds = [*outer, *(inner for block in outer for inner in as_blocks(block.get("content")))]
        self.cites = any((block.get("citations") or {}).get("enabled") for block in outer)
        self.shows = any(block.get("type") == "image" for block in kinds)
        self._system: list[Any] = [body.get("speed"), self.cites if before is None else before.cites]
        self._messages: list[Any] = [
            body.get("tool_choice"),
            body.get("thinking"),
            (body.get("output_config") or {}).get("effort"),
            self.shows,
        ]
        self._begins = before is None

    def settings(self, section: Section) -> list[Any]:
        due, self._system = self._system, []
        if section == "messages":
            due, self._messages = due + self._messages, []
            due, self._begins = due if self._begins else [], True
        return due


def _may_be_marked(raw: Mapping[str, Any]) -> bool:
    return raw.get("type") not in _UNMARKABLE and raw.get("text") != ""
