"""What finding a prompt's profile costs with few and with many profiles loaded.

    python -m tests.benchmarks.recognising [--profiles 1,10,100,1000] [--chars 65000] [--rounds 5]

Profiles are ``apart`` (no line in common), ``versions`` (one prompt, one line changed in each) or ``shared`` (half of
their sections are from a common stock). No text is seen twice but in the row that says so. Milliseconds of processor
time, the median and the largest of the rounds; ``json.loads`` of the same text is beside them, so that machines can be
compared.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import resource
import time
import tracemalloc
from collections.abc import Callable, Sequence
from statistics import median

from rich.console import Console
from rich.table import Table

from litellm_prompt_router.profile.patterns import compile_pattern
from litellm_prompt_router.profile.profile import Module, Profile, Slot
from litellm_prompt_router.request.recognise import Catalogue

MODULES = 40
SYLLABLES = ("ra", "to", "mi", "ke", "su", "lo", "ve", "na", "der", "pol", "st", "ring", "del", "am", "ot", "ig")


def made_words(chance: random.Random, number: int) -> list[str]:
    return ["".join(chance.choices(SYLLABLES, k=chance.randint(1, 4))) for _ in range(number)]


def section(chance: random.Random, words: Sequence[str], title: str, chars: int) -> str:
    """A heading and lines of that many characters together."""
    lines = [f"## {title}", ""]
    size = len(title)
    while size < chars:
        start = chance.randrange(len(words) - 20)
        lines.append(f"- {' '.join(words[start : start + chance.randint(6, 18)])} {chance.randrange(10**6)}")
        size += len(lines[-1]) + 1
    return "\n".join(lines) + "\n\n"


def made_profile(name: str, texts: Sequence[str]) -> Profile:
    """A profile of these sections, with a date in the first and a listing in the second."""
    date = Slot(
        name="date",
        pattern=compile_pattern(r"Today is \d{4}-\d{2}-\d{2}\."),
        sample="Today is 2026-11-22.",
        volatile=True,
        max_chars=200,
    )
    listing = Slot(
        name="listing", pattern=compile_pattern(r"[^<]*"), sample="in/a.csv", volatile=True, max_chars=50_000
    )
    modules = []
    for number, text in enumerate(texts):
        parts: tuple[str | Slot, ...] = (text,)
        if number == 0:
            parts = (text, date, "\n\n")
        if number == 1:
            parts = (text, "<files>\n", listing, "\n</files>\nUse the listing to find a file.\n\n")
        modules.append(
            Module(
                id=f"m{number}",
                title="",
                description="",
                always=number == 0,
                requires=(),
                triggers=(),
                examples=(),
                tools=(),
                parts=parts,
                tokens=1,
            )
        )
    return Profile(
        name=name,
        version="1",
        digest=name,
        description="",
        modules=tuple(modules),
        coverage_floor=None,
        cache_ttl="5m",
        order={module.id: number for number, module in enumerate(modules)},
    )


def made_profiles(kind: str, number: int, chars: int) -> list[Profile]:
    chance = random.Random(7)
    words = made_words(chance, 4000)
    size = chars // MODULES
    stock = [section(chance, words, f"Shared part {n}", size) for n in range(3 * MODULES)]
    base = [section(chance, words, f"Part {n} of the prompt", size) for n in range(MODULES)]
    out = []
    for n in range(number):
        if kind == "apart":
            texts = [section(chance, words, f"Part {m} of agent {n}", size) for m in range(MODULES)]
        elif kind == "versions":
            texts = list(base)
            at = n % MODULES
            lines = texts[at].split("\n")
            lines[2 + n % (len(lines) - 4)] = f"- the line that version {n} alone has, whatever it says"
            texts[at] = "\n".join(lines)
        else:
            texts = [section(chance, words, f"Part {m} of agent {n}", size) for m in range(MODULES // 2)]
            texts += chance.sample(stock, MODULES // 2)
        out.append(made_profile(f"agent{n:04d}", texts))
    return out


def known_text(profile: Profile, number: int) -> str:
    text = profile.text.replace("2026-11-22", f"2026-10-{10 + number % 20}")
    return text.replace("in/a.csv", f"in/{number}.csv\n" * (1 + number))


Texts = Callable[[int], str]


def cases(profiles: Sequence[Profile], chars: int) -> dict[str, Texts]:
    """By name: a text of about that many characters, another one for each round."""
    chance = random.Random(11)
    words = made_words(chance, 4000)
    middle = profiles[len(profiles) // 2]
    some = [profiles[n * len(profiles) // 60 % len(profiles)] for n in range(60)]
    all_lines = [line for profile in some for line in profile.text.splitlines() if len(line) > 16]

    def cut(pieces: Sequence[str], n: int) -> str:
        return (f"Text {n}\n" + "\n".join(pieces))[:chars]

    def unknown(n: int) -> str:
        return section(random.Random(100 + n), words, f"Nothing known {n}", chars)

    def mixture(n: int) -> str:
        return cut(random.Random(n).sample(all_lines, min(len(all_lines), chars // 60)), n)

    def modules_mixed(n: int) -> str:
        texts = [module.text for profile in some for module in profile.modules]
        return cut(random.Random(n).sample(texts, min(len(texts), 60)), n)

    def near_misses(n: int) -> str:
        pieces = []
        for number in range(len(middle.modules) * 20):
            text = middle.modules[number % MODULES].text
            pieces.append(text[: 80 + chars // 1000])
        return cut(pieces, n)

    def torn(n: int) -> str:
        """A module, some words, a module."""
        return cut([f"{middle.modules[(m * 7 + n) % MODULES].text}\nnot known {m}" for m in range(MODULES)], n)

    def one_line(n: int) -> str:
        return cut([all_lines[n]] * 4000, n)

    def slot_heads(n: int) -> str:
        """The module with the listing again and again, never closed."""
        return cut([f"{middle.modules[1].text.split('in/a.csv')[0]}x {m}" for m in range(200)], n)

    def quoting(n: int) -> str:
        return cut([f"<{p.name}>\n{p.modules[(n + 3) % MODULES].text}</{p.name}>" for p in some], n)

    def joined(text: str) -> str:
        return text.replace("\n", " ")

    return {
        "known": lambda n: known_text(middle, n),
        "known, seen before": lambda n: known_text(middle, 0),
        "known, in a frame": lambda n: f"Frame {n}.\n{known_text(middle, n)}\nEnd of {n}.",
        "known, one line edited": lambda n: known_text(middle, n).replace("- ", f"- {n} ", 1),
        "known, CRLF": lambda n: known_text(middle, n).replace("\n", "\r\n"),
        "unknown": unknown,
        "unknown, seen before": lambda n: unknown(0),
        "unknown, one line": lambda n: joined(unknown(n)),
        "unknown, quotes one section": lambda n: (
            unknown(n)[: chars // 2] + middle.modules[5].text + unknown(n)[chars // 2 :]
        ),
        "lines of many shuffled": mixture,
        "sections of many shuffled": modules_mixed,
        "sections of many, quoted": quoting,
        "one line repeated": one_line,
        "near misses": near_misses,
        "sections torn apart": torn,
        "open slots": slot_heads,
        "heads joined": lambda n: joined(near_misses(n)),
    }


def measured(catalogue: Catalogue, texts: Texts, rounds: int) -> tuple[float, float, float]:
    """Median and largest time of one recognition, and the median of ``json.loads``, in milliseconds."""
    times, loads = [], []
    for number in range(rounds + 1):
        wire = json.dumps(texts(number))
        began = time.process_time_ns()
        text = json.loads(wire)
        read = time.process_time_ns()
        catalogue.recognise(text)
        done = time.process_time_ns()
        if number:  # the first warms up
            loads.append((read - began) / 1e6)
            times.append((done - read) / 1e6)
    return median(times), max(times), median(loads)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profiles", default="1,10,100,1000")
    parser.add_argument("--kinds", default="apart,versions,shared")
    parser.add_argument("--chars", type=int, default=65_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", action="store_true", help="also the size of the index; takes longer")
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    given = parser.parse_args()
    numbers = [int(each) for each in given.profiles.split(",")]
    for kind in given.kinds.split(","):
        table = Table("prompt", *[f"{number:,}" for number in numbers], "json.loads", title=f"profiles: {kind}")
        rows: dict[str, list[str]] = {}
        for number in numbers:
            profiles = made_profiles(kind, number, given.chars)
            gc.collect()
            if given.memory:
                tracemalloc.start()
            began = time.process_time()
            catalogue = Catalogue(profiles)
            built = time.process_time() - began
            rows.setdefault("index built, s", []).append(f"{built:.2f}")
            if given.memory:
                rows.setdefault("index, MB", []).append(f"{tracemalloc.get_traced_memory()[0] / 1e6:.1f}")
                tracemalloc.stop()
            gc.freeze()
            for name, texts in cases(profiles, given.chars).items():
                if given.only not in name:
                    continue
                typical, largest, loads = measured(catalogue, texts, given.rounds)
                rows.setdefault(name, []).append(f"{typical:.2f} ({largest:.2f})")
                if number == numbers[-1]:
                    rows[name].append(f"{loads:.2f}")
            gc.unfreeze()
        for name, cells in rows.items():
            table.add_row(name, *cells)
        Console().print(table)
    print(f"largest memory of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")


if __name__ == "__main__":
    main()
