"""Errors that somebody catches by name."""

from __future__ import annotations

from collections.abc import Iterable


class ConfigurationError(Exception):
    """Every configuration problem found, each as ``path: what is wrong; what to do``."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))
