"""How long one message takes to score, beside scikit-learn's own pipeline on the same messages in the same run.

python -m tests.benchmarks.scoring_time
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from rich.console import Console
from rich.table import Table
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MultiLabelBinarizer

from litellm_prompt_router.authoring.fit import FitOptions, fit
from litellm_prompt_router.files.labelled_messages import Case
from litellm_prompt_router.profile.profile import Module, Profile
from litellm_prompt_router.request.route import Router
from litellm_prompt_router.request.route.scores import score
from litellm_prompt_router.request.route.triggers import capped, folded
from litellm_prompt_router.request.types import Turn

MODULES = 60
ROUNDS = 3000


def synthetic(chance: random.Random) -> tuple[Profile, list[Case], Callable[[int], str]]:
    """A profile of 60 modules, labelled messages for it, and a maker of messages of about so many characters."""
    syllables = ["ra", "to", "mi", "ke", "su", "lo", "ve", "na", "ring", "del", "po", "sta", "ker", "un"]
    words = sorted({"".join(chance.choices(syllables, k=chance.randint(1, 3))) for _ in range(4000)})
    topics = [chance.sample(words, 40) for _ in range(MODULES)]

    def message(topic: int, size: int) -> str:
        return " ".join(chance.choice(topics[topic] if chance.random() < 0.4 else words) for _ in range(size))

    modules = tuple(
        Module(
            id=f"m{n}",
            title=" ".join(topics[n][:3]),
            description=" ".join(topics[n][:12]),
            always=False,
            requires=(),
            triggers=(f"{topics[n][0]}x",),
            examples=tuple(message(n, 9) for _ in range(20)),
            tools=(f"t{n}",),
            parts=(" ".join(chance.choices(words, k=300)),),
            tokens=300,
        )
        for n in range(MODULES)
    )
    order = {module.id: n for n, module in enumerate(modules)}
    profile = Profile(
        name="p", version="1", digest="0", description="", modules=modules,
        coverage_floor=None, cache_ttl="5m", order=order,
    )  # fmt: skip
    cases = [Case(text=message(n % MODULES, 10), needs=(f"m{n % MODULES}",)) for n in range(600)]

    def of_chars(chars: int) -> str:
        unseen = "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=8))
        text = message(chance.randrange(MODULES), max(2, chars // 6))
        return f"{text[: chars - 9]} {unseen}"

    return profile, cases, of_chars


def quantiles(action: Callable[[str], object], messages: Sequence[str]) -> tuple[float, float]:
    """p50 and p99 in microseconds, each message once."""
    times = []
    for message in messages:
        began = time.perf_counter_ns()
        action(message)
        times.append(time.perf_counter_ns() - began)
    times.sort()
    return times[len(times) // 2] / 1e3, times[int(len(times) * 0.99)] / 1e3


def measured_table() -> Table:
    chance = random.Random(7)
    profile, cases, of_chars = synthetic(chance)
    done = fit(profile, list(enumerate(cases, 1)), FitOptions(), lambda *_: None)
    table, router = done.fitted.table, Router(done.profile)
    plain = Router(replace(profile, fitted=None))
    texts = [case.text for case in cases] + [e for module in profile.modules for e in module.examples]
    needs = [set(case.needs) for case in cases] + [{m.id} for m in profile.modules for _ in m.examples]
    pipeline = make_pipeline(TfidfVectorizer(), OneVsRestClassifier(LogisticRegression(C=10, solver="liblinear")))
    pipeline.fit(texts, MultiLabelBinarizer().fit_transform(needs))

    def scored(message: str) -> object:
        return score(table, folded(capped(message)))

    def routed(message: str) -> object:
        return router.decide((Turn(role="user", text=message),))

    def by_triggers(message: str) -> object:
        return plain.decide((Turn(role="user", text=message),))

    rows: tuple[tuple[str, Callable[[str], object], int], ...] = (
        ("score", scored, ROUNDS),
        ("whole decision, message not seen before", routed, ROUNDS),
        ("decision by triggers alone", by_triggers, ROUNDS),
        ("scikit-learn TF-IDF and logistic regression", lambda m: pipeline.decision_function([m]), ROUNDS // 10),
    )
    shown = Table("step", "characters", "p50 us", "p99 us", title=f"{MODULES} modules, every message new")
    for chars in (60, 2_000, 10_000):
        for name, action, rounds in rows:
            messages = [of_chars(chars) for _ in range(rounds)]
            p50, p99 = quantiles(action, messages)
            shown.add_row(name, f"{chars:,}", f"{p50:.0f}", f"{p99:.0f}")
        shown.add_section()
    return shown


if __name__ == "__main__":
    Console().print(measured_table())
