"""What accounting commands share: prices, rules and wires of a model, progress, and the table of policies."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from litellm_prompt_router.analysis.simulate import BASELINE, BlocksOf, Parts, Report, parse_prices
from litellm_prompt_router.analysis.simulate.model_terms import ModelTerms
from litellm_prompt_router.cache_model import BlockReader, HostCache, Prices, Rules, messages_of_marked_chat
from litellm_prompt_router.cli.inputs import read_bytes
from litellm_prompt_router.cli.output import percent, say, show_table
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.documents.shown_text import one_line
from litellm_prompt_router.request.types import CHAT, Target

COLUMNS = ("policy", "#USD", "#USD/conversation", "#read", "#written", "#uncached", "#mean prompt", "#vs full-cached")
Item = TypeVar("Item")
SimulatedReport = TypeVar("SimulatedReport", bound=Report)


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """What a model's calls are accounted by. ``model`` is LiteLLM's name for it."""

    model: str
    prices: Prices
    target: Target
    cache: HostCache

    @property
    def rules(self) -> Rules:
        """What both the full and the rewritten prompts are tuned by."""
        return self.cache.rules

    def worst_of(self, simulate: Callable[[Rules], SimulatedReport]) -> SimulatedReport:
        """The report in which ``auto`` fares worst, of those for each set of rules that the host may have."""
        reports = [simulate(rules) for rules in self.cache.possible_rules]
        return max(reports, key=lambda report: report.versus_baseline("auto") or 0.0)

    def blocks_of(self, count_tokens: Callable[[str], int]) -> BlocksOf:
        """Chat bodies -> the blocks that the provider reads. Claude's wire is Anthropic's, every other one OpenAI's."""
        reader = BlockReader(count_tokens)
        if not self.target.takes_marks:
            return reader.openai
        if self.target.marks_blocks:
            return lambda body: reader.anthropic(messages_of_marked_chat(body))
        from litellm_prompt_router.gateway.deployments.translation import ClaudeWire

        wire = ClaudeWire(self.model)
        return lambda body: reader.anthropic(wire.body(body))

    @property
    def terms(self) -> ModelTerms:
        return ModelTerms(model=self.model, prices=self.prices, target=self.target, rules=self.rules, cache=self.cache)

    def for_json(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "prices": {name: str(value) for name, value in asdict(self.prices).items()},
            "cache": {"host": self.cache.host, "basis": self.cache.basis, "source": self.cache.source},
        }

    def say(self) -> None:
        say_terms(self.terms)


def say_terms(terms: ModelTerms) -> None:
    """What the figures go by: prices, and whose cache."""
    prices = terms.prices
    say(
        f"{terms.model}: {prices.input_usd_per_mtok} USD per million tokens, cached "
        f"{prices.cache_read_usd_per_mtok}, written {prices.cache_write_5m_usd_per_mtok} "
        f"(1h {prices.cache_write_1h_usd_per_mtok})"
    )
    if terms.cache is not None:
        say(_cache_line(terms.cache))


def _cache_line(cache: HostCache) -> str:
    """Whose caching rules the figures go by, and what they are worth."""
    if cache.basis == "documented":
        return f"cache: {cache.host}, modelled by its documentation"
    return f"cache: {cache.host}, assumed; how long entries live isn't published: the worst of 5 min, 30 min and 2 h"


def account_for(model: str, stated: str | None, endpoint: str = CHAT) -> Account:
    """By LiteLLM's map, with ``stated`` prices (JSON or a file of it) in place of the map's.

    ``endpoint`` is the one that the calls came to: it has a say in where late modules can go.
    """
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    # This imports LiteLLM, which takes seconds.
    from litellm_prompt_router.gateway.deployments.priced_models import terms_by_prices

    prices = _prices(model, stated)
    if not prices.input_usd_per_mtok:
        raise ConfigurationError(["--prices: input_usd_per_mtok: must be more than 0; what is free needs no rewriting"])
    terms = terms_by_prices(model, prices, endpoint)
    assert terms.cache is not None
    return Account(model=model, prices=prices, target=terms.target, cache=terms.cache)


def _prices(model: str, stated: str | None) -> Prices:
    if stated is None:
        from litellm_prompt_router.gateway.deployments.map_prices import prices_of_model

        prices = prices_of_model(model)
        if prices is None:
            raise ConfigurationError([f"--model: LiteLLM has no prices for {model!r}; name another or give --prices"])
        return prices
    text = stated if stated.lstrip().startswith("{") else read_bytes(stated).decode("utf-8", "replace")
    return parse_prices(text, "--prices")


def watched(items: Sequence[Item], what: str) -> Iterator[Item]:
    """The items, with a bar on stderr while somebody watches."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield from items
        return
    with Progress(console=console, transient=True) as progress:
        yield from progress.track(items, description=escape(one_line(what)))


def say_counts(what: str, calls: int, report: Report) -> None:
    say(f"\n{what}calls: {calls:,}, conversations: {report[BASELINE].conversations:,}")


def show(report: Report) -> None:
    show_table(COLUMNS, _rows(report))


def say_parts(parts: Parts | None) -> None:
    """What the prompts are made of, and how much of that routing doesn't touch."""
    if parts is None or not parts.tokens:
        return
    system, tools, history = (
        percent(tokens / parts.tokens) for tokens in (parts.system_tokens, parts.tools_tokens, parts.history_tokens)
    )
    say(
        f"\nas they came, the prompts are {system} system text, {tools} tools and {history} history, in tokens;"
        f" routing shortens system text, so that {tools} and {history} go out whatever it does"
    )


def _rows(report: Report) -> Iterable[tuple[str, ...]]:
    for result in report.results:
        usage, versus = result.usage, report.versus_baseline(result.policy)
        yield (
            result.policy,
            f"{result.usd:,.4f}",
            f"{result.usd_per_conversation:,.4f}",
            f"{usage.cache_read_tokens:,}",
            f"{usage.cache_write_tokens:,}",
            f"{usage.uncached_input_tokens:,}",
            f"{result.mean_prompt_tokens:,.0f}",
            "" if versus is None or result.policy == BASELINE else f"{versus:+.1%}",
        )
