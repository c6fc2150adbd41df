"""What ``capture`` masks in files of text: ``python -m tests.benchmarks.masking FILES... [--own-rules]``.

Each line is a text, read as JSON where it is some. Prints masked places for each million characters, by kind, and the
processor time for each million; no text. On prompts that hold no secrets every place is one too many.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from litellm_prompt_router.telemetry.masking import Masker
from litellm_prompt_router.telemetry.secret_detector import SecretDetector


def documents_of(path: Path) -> list[Any]:
    """The file's JSON values line by line, or the whole file as one text."""
    text = path.read_text("utf-8", "replace")
    try:
        return [json.loads(line) for line in text.split("\n") if line.strip()]
    except ValueError:
        return [text]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--own-rules", action="store_true", help="leave the detector of the extra `capture` out")
    given = parser.parse_args()
    chars, seconds, counts = 0, 0.0, Counter[str]()
    for path in given.files:
        documents = documents_of(path)
        chars += len(path.read_text("utf-8", "replace"))
        masker = Masker(SecretDetector(is_wanted=not given.own_rules))
        masker.masked("a text that waits for the rules")
        begun = time.process_time()
        for document in documents:
            masker.masked(document)
        seconds += time.process_time() - begun
        counts += masker.counts
    table = Table("kind", "places", "per million characters", box=None)
    for kind, number in counts.most_common():
        table.add_row(kind, f"{number:,}", f"{number / chars * 1e6:.2f}")
    table.add_row("all", f"{counts.total():,}", f"{counts.total() / chars * 1e6:.2f}")
    console = Console(markup=False, highlight=False)
    console.print(table)
    console.print(f"{chars:,} characters, {seconds / chars * 1e6:.3f} processor seconds for each million")


if __name__ == "__main__":
    main()
