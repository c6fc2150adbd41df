"""How long it takes to split a long prompt, and to recognise it in flight; with memory after many prompts.

    LITELLM_LOCAL_MODEL_COST_MAP=True python -m tests.benchmarks.split [PROMPT.txt ...] [--chars N]

Without files a made-up prompt of that many characters is used. "first time": a text with slot values never seen
before; "again": an equal text in a string of its own, as a request brings it. Times are milliseconds.
"""

from __future__ import annotations

import argparse
import random
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from litellm_prompt_router.authoring.split import Draft, split_prompt
from litellm_prompt_router.authoring.split.draft_trial import profile_of
from litellm_prompt_router.profile.tokens import token_counter
from litellm_prompt_router.request.recognise import Catalogue

ROUNDS = 200
MANY = 3_000


def made_up(chars: int) -> list[str]:
    """Three versions of a seeded prompt of sections, tags, lists, tables and fences, with four varying values."""
    chance = random.Random(11)
    words = [
        f"{a}{b}{c}" for a in ("ra", "to", "mi", "ke") for b in ("n", "sta", "ri") for c in ("", "po", "lu", "del")
    ]
    parts = ["# Harbour assistant\n\nYou run the office. Today is {date}. Your user is called {user}.\n\n"]
    size, number = len(parts[0]), 0
    while size < chars:
        number += 1
        heading = f"{'#' * chance.randint(2, 4)} {number} {' '.join(chance.choices(words, k=3)).title()}\n\n"
        items = "".join(f"- {' '.join(chance.choices(words, k=12))}\n" for _ in range(chance.randint(2, 12)))
        text = f"{' '.join(chance.choices(words, k=60)).capitalize()}.\n\n"
        fence = "```json\n" + '{"name": "' + "_".join(chance.choices(words, k=2)) + '"}\n```\n\n'
        parts.append(heading + text + chance.choice(("", fence)) + items + "\n")
        size += len(parts[-1])
    parts.insert(len(parts) // 2, '<workspace root="{path}">\n{listing}\n</workspace>\n\n')
    template = "".join(parts)
    versions = []
    for version in range(3):
        listing = "\n".join(f"{chance.choice(words)}/{version}{row}.csv" for row in range(9))
        values = {
            "date": f"2026-1{version}-02",
            "user": f"Ada{'xyz'[version]}",
            "path": f"/srv/{version}/w",
            "listing": listing,
        }
        text = template
        for name, value in values.items():
            text = text.replace("{" + name + "}", value)
        versions.append(text)
    return versions


def milliseconds(action: Callable[[int], object], rounds: int) -> tuple[float, float]:
    """p50 and p99."""
    times = []
    for number in range(rounds):
        began = time.perf_counter_ns()
        action(number)
        times.append(time.perf_counter_ns() - began)
    times.sort()
    return times[rounds // 2] / 1e6, times[int(rounds * 0.99)] / 1e6


def variants(draft: Draft, count: int) -> list[str]:
    """Texts of the prompt that differ from each other in their slots, or at their end where there are none."""
    profile = profile_of(draft)
    texts = []
    for number in range(count):
        parts = [
            part
            if isinstance(part, str)
            else part.sample.replace("2026", str(2000 + number % 999)).replace("/w", f"/w{number}")
            for module in profile.modules
            for part in module.parts
        ]
        texts.append("".join(parts) + ("" if draft.slots else f"\nUnknown line number {number} at the end.\n"))
    return texts


def measure(name: str, samples: list[str], table: Table) -> None:
    count = token_counter()
    began = time.perf_counter()
    draft = split_prompt(samples, name="bench", count_tokens=count)
    seconds = time.perf_counter() - began
    catalogue = Catalogue([profile_of(draft)])
    texts = variants(draft, ROUNDS)
    first = milliseconds(lambda n: catalogue.recognise(texts[n]), ROUNDS)
    same = texts[0]
    copies = [f"{same} "[:-1] for _ in range(ROUNDS)]
    again = milliseconds(lambda n: catalogue.recognise(copies[n]), ROUNDS)
    tail = [f"{same}\n\nUnheard of, number {n}.\n" for n in range(30)]
    unknown = milliseconds(lambda n: catalogue.recognise(tail[n]), 30)
    crlf = [text.replace("\n", "\r\n") for text in texts[:10]]
    ends = milliseconds(lambda n: catalogue.recognise(crlf[n]), 10)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(MANY):
        catalogue.recognise(f"{same}{'x' * (number % 977)}{number}")
        if number == MANY // 2:
            half = tracemalloc.get_traced_memory()[0]
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    largest = max(module.tokens for module in draft.modules) / draft.tokens
    table.add_row(
        name,
        f"{len(draft.prompt):,}",
        str(len(draft.modules)),
        f"{largest:.1%}",
        f"{draft.core_tokens / draft.tokens:.0%}",
        f"{seconds:.2f} s",
        f"{first[0]:.3f} / {first[1]:.3f}",
        f"{again[0]:.3f} / {again[1]:.3f}",
        f"{unknown[0]:.2f} / {unknown[1]:.2f}",
        f"{ends[0]:.1f}",
        f"{(half - before) / 1e6:.1f} -> {(after - before) / 1e6:.1f}",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("prompts", nargs="*", type=Path)
    parser.add_argument("--chars", type=int, default=360_000)
    arguments = parser.parse_args()
    table = Table(
        "prompt", "chars", "modules", "largest", "core", "split", "first time p50/p99", "again p50/p99",
        "unknown tail p50/p99", "CRLF p50", f"MB after {MANY // 2:,} -> {MANY:,} prompts",
    )  # fmt: skip
    token_counter()("warm")
    if not arguments.prompts:
        measure("made up, 3 samples", made_up(arguments.chars), table)
        measure("made up, 1 sample", made_up(arguments.chars)[:1], table)
    for path in arguments.prompts:
        measure(path.name, [path.read_bytes().decode()], table)
    Console(width=200).print(table)


if __name__ == "__main__":
    main()
