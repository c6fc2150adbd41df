"""Records -> Prometheus metrics in the client library's own registry, which LiteLLM serves at ``/metrics``.

LiteLLM mounts that page when ``prometheus`` is among its callbacks. With several workers it sets
``PROMETHEUS_MULTIPROC_DIR``: the library then keeps values in files there and the page adds them up, which takes
counters and histograms only. So money that may be negative is two counters, saved and lost; their difference is net.

Label values are bounded: the first ``MAX_VALUES`` of each label are kept apart, the rest is ``other``.
"""

from __future__ import annotations

import functools
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

from litellm_prompt_router.documents.shown_text import MAX_NAME_CHARS, one_line
from litellm_prompt_router.record.record import PROMPT_SIZE_EDGES, USAGE_BUCKETS, Record
from litellm_prompt_router.telemetry.alerts import Alert

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Counter, Histogram

PREFIX = "prompt_router"
MAX_VALUES = 50
OTHER = "other"
NONE = "none"
DECISION_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1)
WAIT_SECONDS = (0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0)
MODULE_COUNTS = (1, 2, 3, 5, 8, 12, 18, 25, 40, 60)


class _Families(NamedTuple):
    requests: Counter
    tokens: Counter
    billed: Counter
    saved: Counter
    lost: Counter
    unpriced: Counter
    prompt: Histogram
    decision: Histogram
    modules: Histogram
    routed: Counter
    routing: Counter
    routing_wait: Histogram
    faults: Counter
    losses: Counter
    alerts: Counter


def prometheus_of(is_wanted: bool) -> Prometheus | None:
    """The sink, on the library's default registry; None where it isn't wanted or the library isn't installed."""
    if not is_wanted or find_spec("prometheus_client") is None:
        return None
    from prometheus_client import REGISTRY

    return Prometheus(REGISTRY)


@functools.cache
def _families(registry: CollectorRegistry) -> _Families:
    """Made once: a registry takes no name twice."""
    from prometheus_client import Counter, Histogram

    def counter(name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}_{name}", text, labels, registry=registry)

    def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"{PREFIX}_{name}", text, labels, buckets=buckets, registry=registry)

    money = ("profile", "provider")
    return _Families(
        requests=counter("requests", "Finished requests.", "outcome", "reason", "profile", "mode", "status"),
        tokens=counter("tokens", "Tokens as the provider reported them, in disjoint buckets.", "bucket", "profile"),
        billed=counter("billed_usd", "What LiteLLM says the requests cost.", *money),
        saved=counter("net_saved_usd", "Estimated net savings of the requests that saved.", *money),
        lost=counter("net_lost_usd", "Estimated net losses of the requests that lost; subtract them.", *money),
        unpriced=counter("net_unknown", "Requests sent on without an estimate of what was saved.", *money),
        prompt=histogram(
            "prompt_chars", "System text as it came and as it left.", PROMPT_SIZE_EDGES, "when", "profile"
        ),
        decision=histogram("decision_seconds", "Time from the request's arrival to its new body.", DECISION_SECONDS),
        modules=histogram("modules_selected", "Modules that a prompt needed.", MODULE_COUNTS, "profile"),
        routed=counter(
            "routing_model_requests", "Requests by what became of their routing question.", "outcome", "profile"
        ),
        routing=counter("routing_model_usd", "What asking routing models cost; net figures bear it.", "profile"),
        routing_wait=histogram("routing_model_wait_seconds", "Waiting for a routing model's answer.", WAIT_SECONDS),
        faults=counter("faults", "Exceptions in the router's own code.", "where"),
        losses=counter("lost", "Records, events and lines that never arrived.", "place"),
        alerts=counter("alerts", "Alerts raised.", "alert"),
    )


def _labelled(family: Any, *values: str) -> Any:
    """The metric of a family that has these labels."""
    return family.labels(*values)


class Prometheus:
    """Counts what it is given. For one thread in each process; a forked child goes on from its parent's values."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._families = _families(registry)
        self._values: dict[str, set[str]] = {}
        self._labelled = functools.cache(_labelled)  # the library checks and joins labels anew at each call
        self._lost: dict[str, int] = {}

    def write(self, record: Record) -> None:
        """Counts a finished request."""
        facts, families, labelled = record.facts, self._families, self._labelled
        profile = self._label("profile", facts.profile)
        reason = self._label("reason", facts.reason)
        labelled(families.requests, facts.outcome, reason, profile, facts.mode, record.status).inc()
        if facts.is_off:
            return
        if record.usage is not None:
            for bucket in USAGE_BUCKETS:
                labelled(families.tokens, bucket.removesuffix("_tokens"), profile).inc(getattr(record.usage, bucket))
        self._count_money(record, profile)
        before, after = facts.original_chars, facts.sent_chars
        if not facts.is_passthrough and before is not None and after is not None and facts.prompt_chars is not None:
            labelled(families.prompt, "before", profile).observe(before)
            labelled(families.prompt, "after", profile).observe(after)
            labelled(families.modules, profile).observe(len(facts.modules))
        if facts.selection_us is not None:
            families.decision.observe(facts.selection_us / 1e6)
        if facts.routing_model_outcome is not None:
            labelled(families.routed, facts.routing_model_outcome, profile).inc()
        if facts.routing_model_wait_us is not None:
            families.routing_wait.observe(facts.routing_model_wait_us / 1e6)

    def fault(self, where: str) -> None:
        """Counts a fault of ours."""
        self._families.faults.labels(self._label("where", where)).inc()

    def alert(self, alert: Alert) -> None:
        """Counts an alert."""
        self._families.alerts.labels(alert.name).inc()

    def losses(self, lost: dict[str, int]) -> None:
        """Counts what was lost, by place. ``lost`` is the total since this process started."""
        for place, total in lost.items():
            more = total - self._lost.get(place, 0)
            self._lost[place] = total
            self._families.losses.labels(place).inc(max(0, more))

    def _count_money(self, record: Record, profile: str) -> None:
        provider = self._label("provider", record.provider)
        if record.billed_usd is not None and record.billed_usd > 0:
            self._labelled(self._families.billed, profile, provider).inc(float(record.billed_usd))
        if record.routing_model_usd:
            self._labelled(self._families.routing, profile).inc(float(record.routing_model_usd))
        net = record.net_saved_usd
        if net is not None:
            family = self._families.saved if net >= 0 else self._families.lost
            self._labelled(family, profile, provider).inc(float(abs(net)))
        elif record.facts.is_rewritten:
            self._labelled(self._families.unpriced, profile, provider).inc()

    def _label(self, name: str, value: str | None) -> str:
        if value is None:
            return NONE
        known = self._values.setdefault(name, set())
        if value in known:
            return value
        shown = one_line(value, MAX_NAME_CHARS)  # a lone surrogate would break the whole page
        if shown not in known and len(known) >= MAX_VALUES:
            return OTHER
        known.add(shown)
        return shown
