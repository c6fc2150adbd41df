"""Fingerprints of what lies on disk, equal while nothing changes: of small files by content, of folders by dates."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from litellm_prompt_router.documents.parsing import MAX_FILE_BYTES

MAX_DEPTH = 6
MAX_ENTRIES = 20_000
"""The most that is looked at of a profiles folder."""

Fingerprint = tuple[object, ...]


def file_fingerprint(path: Path | None) -> object:
    """The file's digest, or what keeps it from being read."""
    if path is None:
        return None
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_FILE_BYTES:
            return (found.st_mode, found.st_size, found.st_mtime_ns)  # not to be read: a pipe would block
        with path.open("rb") as file:
            return sha256(file.read(MAX_FILE_BYTES)).digest()
    except OSError as error:
        return error.errno


def folder_fingerprint(root: Path) -> Iterator[object]:
    """Name, inode, size and dates of everything under ``root``, behind links too."""
    left = MAX_ENTRIES
    folders = [(str(root), 0)]
    while folders:
        folder, depth = folders.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            yield (folder, error.errno)
            continue
        for entry in entries:
            left -= 1
            if left < 0:
                return
            try:
                found = entry.stat()
                is_folder = entry.is_dir()
            except OSError as error:
                yield (entry.path, error.errno)
                continue
            if is_folder:
                yield (entry.path, found.st_ino)
                if depth < MAX_DEPTH:
                    folders.append((entry.path, depth + 1))
            else:
                yield (entry.path, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
