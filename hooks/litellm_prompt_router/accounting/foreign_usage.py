"""Usage that isn't of the body sent alone: what providers' own tools bring in is counted with it, turn after turn.

A search that the provider makes puts its results into the context, and each inner turn counts the whole context once
more (platform.claude.com, "Web search tool" and "Server tools"; developers.openai.com, "Web search"; ai.google.dev,
"Grounding with Google Search"; checked 2026-11). Such a usage says nothing of how many tokens a text has, and a ratio
of it nothing of what leaving text out saved. Where a body only offers such tools, the usage or the answer has to say
that none was used.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

SERVER_TOOLS = "the usage counts what the provider's own tools brought in"
SEVERAL_TURNS = "the usage counts several turns"
MORE_THAN_THE_BODY = "the usage counts far more than the body has"
MOST_TIMES, SPARE_TOKENS = 4, 5_000
"""A provider's count of texts is at most so many times ours (o200k), for what scripts and symbols there are, and some
tokens beside it are instructions and images of its own kind. What is beyond that came from elsewhere."""
_COUNTERS = (
    *("web_search_requests", "web_fetch_requests", "tool_search_requests", "code_execution_requests"),
    *("browser_open_requests", "google_maps_grounding_requests", "num_search_queries", "num_sources_used"),
)
_COUNTED = ("web_search_2", "tool_search_tool_")
"""How the types of Anthropic's tools begin whose use LiteLLM's usage counts where the provider does (``ServerToolUse``,
1.106)."""
_HOSTED = (
    *("web_search", "web_fetch", "code_execution", "tool_search", "advisor", "mcp", "file_search"),
    *("image_generation", "code_interpreter", "x_search", "collections_search", "openrouter:"),
)
"""How the types of tools begin that a provider runs itself; those that a client runs have other ones."""
_HOSTED_FIELDS = frozenset(
    {"googleSearch", "google_search", "googleSearchRetrieval", "google_search_retrieval", "enterpriseWebSearch"}
    | {"urlContext", "url_context", "codeExecution", "code_execution", "googleMaps", "google_maps"}
    | {"fileSearch", "file_search", "retrieval"}
)
"""The same of Gemini, whose tools are fields of an entry (ai.google.dev, ``Tool``)."""
ASKING_FIELDS = ("web_search_options", "search_parameters", "mcp_servers", "plugins", "enable_search")
"""Fields of a body that have a provider, or LiteLLM, search by itself."""
_OUTPUT_KINDS = frozenset(
    {"message", "reasoning", "function_call", "custom_tool_call", "computer_call", "local_shell_call"}
    | {"shell_call", "apply_patch_call", "compaction"}
)
"""Items of a Responses answer that no tool of the provider's made."""


def foreign_usage(usage: object, bodies: Iterable[Mapping[str, Any]], items: Iterable[str] | None) -> str | None:
    """Why the usage isn't one of the body alone; None where it is.

    ``bodies``: the request's, and the parameters that LiteLLM made of it; ``items``: the kinds of what a Responses
    answer consists of, None where that isn't known.
    """
    if len(_get(usage, "iterations") or ()) > 1:
        return SEVERAL_TURNS
    holders = (usage, _get(usage, "server_tool_use"), _get(usage, "prompt_tokens_details"))
    if any(_number(_get(holder, name)) for holder in holders for name in _COUNTERS):
        return SERVER_TOOLS
    if _number(_get(usage, "toolUsePromptTokenCount")):
        return SERVER_TOOLS
    if items is not None:
        return None if _OUTPUT_KINDS.issuperset(items) else SERVER_TOOLS
    is_counted = _get(usage, "server_tool_use") is not None
    return SERVER_TOOLS if any(_may_bring_in(body, is_counted=is_counted) for body in bodies) else None


def is_of_more_than(counted: int, input_tokens: int) -> bool:
    """Whether an input is of more than a body in which we count so many tokens, whoever brought it in."""
    return input_tokens > MOST_TIMES * counted + SPARE_TOKENS


def _may_bring_in(body: Mapping[str, Any], *, is_counted: bool) -> bool:
    """True where the body has a provider run tools, and nobody says that it ran none.

    ``is_counted``: the usage counts searches, none of which there was.
    """
    if any(body.get(name) not in (None, False, [], ()) for name in ASKING_FIELDS):
        return True
    return any(not is_counted or not kind.startswith(_COUNTED) for kind in _hosted_tools(body.get("tools")))


def _hosted_tools(tools: object) -> Iterator[str]:
    for tool in tools if isinstance(tools, list) else ():
        if not isinstance(tool, Mapping):
            continue
        kind = tool.get("type")
        if isinstance(kind, str):
            if kind.startswith(_HOSTED):
                yield kind
        else:
            yield from _HOSTED_FIELDS.intersection(tool)


def _get(holder: object, name: str) -> Any:
    return holder.get(name) if isinstance(holder, Mapping) else getattr(holder, name, None)


def _number(value: object) -> bool:
    return isinstance(value, int) and value > 0
