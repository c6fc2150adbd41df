"""Several files changed together: all of them, or none."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Container, Mapping
from pathlib import Path

from litellm_prompt_router.documents.errors import ConfigurationError

PRIVATE_MODE = 0o600
"""Of files that hold messages of captured traffic: their owner's alone."""


def replace_files(changes: Mapping[Path, bytes | None], where: Path, private: Container[Path] = ()) -> None:
    """Gives each file its new content, in this order, or removes it where that is None.

    At any moment each file is there whole, as it was or as it is to be. Behind a link the file that it leads to
    changes. ``private``: those that only their owner may read, from the first byte on; others keep the mode that they
    have. Raises ConfigurationError naming ``where`` when one of them can't be written; then all are as they were.
    """
    planned = [_Change(path, content, path in private) for path, content in changes.items()]
    made: list[Path] = []
    stuck: list[_Change] = []
    try:
        try:
            for change in planned:
                _make_folder(change.target.parent, made)
                change.prepare()
            for change in planned:
                change.carry_out()
        except BaseException:
            stuck = [change for change in reversed(planned) if not change.undo()]
            raise
    except OSError as error:
        what = "; ".join(f"{change.target} is kept in {change.old}" for change in stuck) or "nothing was changed"
        raise ConfigurationError([f"{where}: can't be written ({error.strerror or error}); {what}"]) from None
    finally:
        for change in planned:
            change.clear_away(keeps_old=change in stuck)
        for folder in reversed(made):
            with contextlib.suppress(OSError):
                folder.rmdir()  # those that nothing came into


class _Change:
    """One file on its way from its old content to its new one."""

    def __init__(self, path: Path, content: bytes | None, is_private: bool) -> None:
        self.target = path if content is None else path.resolve()
        name = f".{secrets.token_hex(8)}"
        self.old, self._new = self.target.with_name(f"{name}.old"), self.target.with_name(f"{name}.new")
        self._content = content
        self._is_private = is_private
        self._is_there = os.path.lexists(self.target)
        self._is_done = False

    def prepare(self) -> None:
        """Puts the old and the new content beside the file."""
        if self._is_there:
            try:
                os.link(self.target, self.old, follow_symlinks=False)
            except OSError:  # not every file system has links
                shutil.copy2(self.target, self.old, follow_symlinks=False)
        if self._content is not None:
            self._new.touch(PRIVATE_MODE if self._is_private else 0o666, exist_ok=False)
            with self._new.open("wb") as file:
                file.write(self._content)
                file.flush()
                os.fsync(file.fileno())
            if self._is_there and not self._is_private:
                self._new.chmod(self.target.stat().st_mode & 0o7777)

    def carry_out(self) -> None:
        if self._content is None:
            self.target.unlink(missing_ok=True)
        else:
            self._new.replace(self.target)
        self._is_done = True

    def undo(self) -> bool:
        """False where the old content can't be put back."""
        try:
            if self._is_done and not self._is_there:
                self.target.unlink(missing_ok=True)
            elif self._is_done:
                try:
                    self.old.replace(self.target)
                except OSError:
                    shutil.copy2(self.old, self.target)
        except OSError:
            return False
        return True

    def clear_away(self, *, keeps_old: bool) -> None:
        for path in (self._new,) if keeps_old else (self._new, self.old):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def _make_folder(folder: Path, made: list[Path]) -> None:
    """Makes the folder and those above it, adding each to ``made``."""
    if not folder.exists():
        _make_folder(folder.parent, made)
        folder.mkdir()
        made.append(folder)
