"""What one user message brings: what its triggers name, its scores speak for, and a routing model says.

In a fitted profile too every module is sent where its promise doesn't reach: without a calibrated threshold, for words
the table has no evidence for, for an attachment without text, and when most of the prompt was selected anyway. Where
the meaning of a message is known, its score speaks beside that of the words, through a gate and a threshold of its own.
"""

from __future__ import annotations

import numpy as np

from litellm_prompt_router.profile.fitted import Fitted
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.route.embeddings import MessageEmbedding, promised, semantic_scores
from litellm_prompt_router.request.route.needed_modules import Need
from litellm_prompt_router.request.route.reader import MessageReading
from litellm_prompt_router.request.route.routing_answers import RoutingAnswer
from litellm_prompt_router.request.route.routing_model_part import RoutingModelPart
from litellm_prompt_router.request.route.scores import GateState, Scores, Trace, WeighedMessage, values
from litellm_prompt_router.request.route.uncalibrated import UncalibratedBase
from litellm_prompt_router.request.route.walk import Walk

MOST_TOKENS_SHARE = 0.9
"""A selection of more of the prompt than this isn't worth a rewrite: everything is sent."""


class MessageNeeds:
    """One profile, prepared for taking user messages into a walk."""

    def __init__(self, profile: Profile, base: UncalibratedBase | None, asking: RoutingModelPart | None) -> None:
        self._fitted: Fitted | None = profile.fitted
        self._column = {m: c for c, m in enumerate(profile.fitted.table.columns)} if profile.fitted else {}
        self._semantics = promised(profile.fitted)
        self._tokens = tuple(module.tokens for module in profile.modules)
        self._most_tokens = MOST_TOKENS_SHARE * sum(self._tokens)
        self._base = base
        self._asking = asking

    def take(
        self,
        walk: Walk,
        reading: MessageReading,
        at: int,
        trace: Trace | None,
        embedding: MessageEmbedding | None,
        answer: RoutingAnswer | None,
        *,
        asks: bool,
    ) -> None:
        """What one user message brings. ``asks``: a routing model is asked about those that say what to do."""
        need = walk.need
        walk.kind, reason, walk.asked = reading.kind, reading.fallback, None
        walk.query_chars = reading.chars
        if trace is not None:
            trace.triggered.update(reading.found)
            trace.fallbacks.extend([reason] if reason is not None and answer is None else ())
        had_nothing = need.is_core_alone
        for module, trigger in sorted(reading.found.items()):
            need.bring(module, "trigger", trigger, at=at)
        if reading.scores is not None and not reading.scores.is_known and embedding is None:
            reason = reading.unknown
            if trace is not None and answer is None:
                trace.fallbacks.extend([reason] if reason is not None else ())
        elif reading.scores is not None:
            seen = self._weigh(reading.scores, walk.state, walk.in_use, at, embedding)
            if trace is not None:
                trace.weighed.append(seen)
            surely = None if answer is None or self._asking is None else self._asking.surely(seen)
            chosen = self._chosen(seen, need, surely)
            if answer is None:
                chosen = chosen or self._guessed(seen, reading, had_nothing)
            for module, detail in chosen:
                need.bring(module, "score", detail, at=at)
            if answer is not None or not need.is_core_alone:
                reason = reason or ("nearly everything was selected" if self._is_most(need) else None)
            elif walk.kind == "task":
                walk.kind = "small_talk"
        walk.state.is_later = True
        if answer is not None and self._asking is not None:
            need.is_started = True
            for module, detail in self._asking.named(answer):
                if not need.has(module):
                    need.bring(module, "model", detail, at=at)
            return
        if self._fitted is None:
            reason = reading.unreadable
        walk.has_base = walk.has_base or not asks or walk.kind == "task"
        if reason is not None:
            walk.send_all(reason, at=at)
        elif self._base is not None and walk.has_base:
            walk.send_base(self._base.modules(walk.absent), at=at)

    def _weigh(
        self, scores: Scores, state: GateState, in_use: set[int], at: int, embedding: MessageEmbedding | None
    ) -> WeighedMessage:
        assert self._fitted is not None
        used = sorted(self._column[module] for module in in_use if module in self._column)
        gate, semantic = self._fitted.gate, None
        if embedding is not None and self._semantics is not None:
            gate, semantic = self._semantics.gate, semantic_scores(self._semantics, embedding)
        inputs = state.inputs(scores, used, semantic)
        state.remember(scores)
        return WeighedMessage(at, inputs, values(gate, inputs), semantic is not None)

    def _chosen(self, seen: WeighedMessage, need: Need, threshold: float | None = None) -> list[tuple[int, str]]:
        """Modules at or above the threshold that nothing else brought, with what to say of them."""
        assert self._fitted is not None
        of = self._semantics if seen.is_fused and self._semantics is not None else self._fitted
        columns, found = self._fitted.table.columns, seen.values
        threshold = of.calibration.threshold if threshold is None else threshold
        chosen = [(columns[c], found[c]) for c in np.flatnonzero(found >= threshold).tolist()]
        return [(module, f"{value:.2f}") for module, value in chosen if not need.has(module)]

    def _guessed(self, seen: WeighedMessage, reading: MessageReading, had_nothing: bool) -> list[tuple[int, str]]:
        """For a task behind which nothing but the core was there, the best of what stays below the threshold.

        Its misses are what the promise allows for. A trigger makes no difference to it, so that triggers only add.
        """
        assert self._fitted is not None
        if not had_nothing or reading.kind != "task" or reading.scores is None or reading.scores.is_chat:
            return []
        best = int(seen.values.argmax())
        return [(self._fitted.table.columns[best], f"{seen.values[best]:.2f}")]

    def _is_most(self, need: Need) -> bool:
        return sum(self._tokens[module] for module in need) > self._most_tokens
