"""Files of lines that another process writes while they are read."""

from __future__ import annotations

from pathlib import Path


def whole_lines(path: Path) -> list[str]:
    """The lines written to their end; none while there is no file. A write may be seen half done."""
    written = path.read_bytes() if path.exists() else b""
    return written[: written.rfind(b"\n") + 1].decode().splitlines()
