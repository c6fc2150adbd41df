"""The coverage/kept curve as a picture."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from litellm_prompt_router.authoring.evaluate.compare import Comparison
from litellm_prompt_router.documents.errors import ConfigurationError

FORMATS = (".png", ".svg")


def plot_curve(comparison: Comparison, file: Path) -> None:
    """Draws every threshold of the curve and the other routers as points. Raises ConfigurationError, OSError."""
    if file.suffix.lower() not in FORMATS:
        raise ConfigurationError([f"{file}: unknown kind of picture; name it .png or .svg"])
    figure = Figure(figsize=(7, 5))
    axes = figure.add_subplot()
    kept = [point.kept_tokens for point in comparison.curve]
    axes.plot(kept, [point.coverage for point in comparison.curve], label="messages")
    if comparison.first_needs:
        axes.plot(kept, [point.first_need_coverage or 0.0 for point in comparison.curve], label="first needs")
    for standing in comparison.standings:
        axes.plot(standing.kept_tokens, standing.coverage, "o", label=standing.router)
    axes.set_xlabel("share of tokens kept")
    axes.set_ylabel("share of messages with all they need")
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    figure.savefig(file)
