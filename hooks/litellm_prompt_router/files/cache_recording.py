"""Cache recordings: what calls were made of and what the provider said it cached of them. No text and no key.

JSON Lines: a header, then one call a line. ``at_seconds`` counts from the first call; ``scope`` tells apart what can
share no cache. A block is ``[fingerprint, tokens by our count, section, mark, run, flags]``: its fingerprint is a
hash with a salt that was thrown away, so that equal texts are recognised within a recording and nowhere else. ``usage``
is the provider's, in disjoint buckets.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from litellm_prompt_router.cache_model.prompt_blocks import Block, Lifetime, Run, Section
from litellm_prompt_router.cache_model.usage import Usage
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.documents.parsing import parse_json_lines
from litellm_prompt_router.documents.problems import explain_validation_error

FORMAT = 1
FLAGS = {"ending": "is_ending", "framed": "is_framed", "answer": "is_answer"}
"""What a block is beside its content, by the field of ``Block`` that says so."""

Count = Annotated[int, Field(ge=0)]


class RecordingHeader(BaseModel):
    """The first line. ``model`` is LiteLLM's name; ``salt_id`` tells recordings apart that were salted alike."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    cache_recording: Literal[1]
    provider: str
    model: str
    litellm: str
    tokenizer: str
    salt_id: str
    source: str


class _UsageLine(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    uncached_input_tokens: Count
    cache_read_tokens: Count
    cache_write_5m_tokens: Count
    cache_write_1h_tokens: Count
    output_tokens: Count


class _CallLine(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    at_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    scope: str
    first_token_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    blocks: Annotated[
        tuple[
            tuple[
                Annotated[str, Field(pattern="^[0-9a-f]{16}$")], Count, Section, Lifetime | None, Run | None, list[str]
            ],
            ...,
        ],
        Field(min_length=1),
    ]
    usage: _UsageLine


@dataclass(frozen=True, kw_only=True, slots=True)
class FingerprintedCall:
    """One call. The keys of ``blocks`` are fingerprints."""

    at_seconds: float
    scope: str
    blocks: tuple[Block, ...]
    usage: Usage
    first_token_seconds: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CacheRecording:
    """Calls in time order."""

    header: RecordingHeader
    calls: tuple[FingerprintedCall, ...]


def fingerprinted(blocks: Iterable[Block], salt: bytes) -> tuple[Block, ...]:
    """The blocks with keys that say nothing to anybody who hasn't the salt."""
    return tuple(
        [block._replace(key=_hash(salt, block.key.to_bytes(8, "big", signed=block.key < 0))) for block in blocks]
    )


def salted_scope(scope: str, salt: bytes) -> str:
    """A name for a scope that doesn't tell which it is."""
    return f"{_hash(salt, scope.encode('utf-8', 'backslashreplace')):016x}"


def salt_id(salt: bytes) -> str:
    return blake2b(b"id", key=salt, digest_size=4).hexdigest()


def _hash(salt: bytes, content: bytes) -> int:
    return int.from_bytes(blake2b(content, key=salt, digest_size=8).digest(), "big")


def recording_lines(recording: CacheRecording) -> Iterator[str]:
    """The file's lines."""
    yield json.dumps(recording.header.model_dump()) + "\n"
    start = min((call.at_seconds for call in recording.calls), default=0.0)
    for call in recording.calls:
        line = {
            "at_seconds": round(call.at_seconds - start, 3),
            "scope": call.scope,
            "first_token_seconds": call.first_token_seconds,
            "blocks": [_written(block) for block in call.blocks],
            "usage": asdict(call.usage),
        }
        yield json.dumps(line, separators=(",", ":")) + "\n"


def _written(block: Block) -> list[Any]:
    flags = [flag for flag, field in FLAGS.items() if getattr(block, field)]
    return [f"{block.key:016x}", block.tokens, block.section, block.mark, block.run, flags]


def parse_recording(text: str, where: str) -> CacheRecording:
    """The recording in a file's text. Raises ConfigurationError with every problem."""
    first, _, rest = text.partition("\n")
    header = _header(first, where)
    # An empty line stands for the header, so that problems name the file's own lines.
    lines = parse_json_lines("\n" + rest, where, _CallLine, what="call", problems_of=_problems_of)
    calls = [
        FingerprintedCall(
            at_seconds=line.at_seconds,
            scope=line.scope,
            blocks=tuple([_read(block) for block in line.blocks]),
            usage=Usage(**line.usage.model_dump()),
            first_token_seconds=line.first_token_seconds,
        )
        for _, line in lines
    ]
    return CacheRecording(header=header, calls=tuple(sorted(calls, key=lambda call: call.at_seconds)))


def _header(line: str, where: str) -> RecordingHeader:
    try:
        document = json.loads(line)
    except ValueError:
        document = None
    if not isinstance(document, dict) or "cache_recording" not in document:
        raise ConfigurationError(
            [f"{where}: not a cache recording; `prompt-router verify-cache --from TRAFFIC --write FILE` makes one"]
        )
    if document["cache_recording"] != FORMAT:
        raise ConfigurationError([f"{where}: written in another format; record it again with this version"])
    try:
        return RecordingHeader.model_validate(document)
    except ValidationError as error:
        raise ConfigurationError([*explain_validation_error(error, f"{where}: line 1", RecordingHeader)]) from None


def _problems_of(line: _CallLine) -> Iterable[str]:
    for number, block in enumerate(line.blocks):
        for flag in block[5]:
            if flag not in FLAGS:
                yield f"blocks[{number}]: unknown flag {flag!r}; record it again with this version"


def _read(written: Sequence[Any]) -> Block:
    fingerprint, tokens, section, mark, run, flags = written
    said = {field: flag in flags for flag, field in FLAGS.items()}
    return Block(int(fingerprint, 16), tokens, mark, section, run, **said)
