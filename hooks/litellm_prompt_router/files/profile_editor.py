"""Every change to a profile's folder: edits are collected, tried, and then written all together or not at all."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ruamel.yaml.error import YAMLError

from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.documents.parsing import parse_yaml, read_text
from litellm_prompt_router.files.fit_files import FIT_FILE, TABLE_FILE
from litellm_prompt_router.files.load import load_profile
from litellm_prompt_router.files.profile_fields import with_field, with_module_fields
from litellm_prompt_router.files.profile_text import (
    ModuleEntry,
    SlotEntry,
    with_entries,
    with_examples,
    with_section,
    without_section,
)
from litellm_prompt_router.files.profile_yaml import PROFILE_FILE, REVIEW_FILE, named_files
from litellm_prompt_router.files.replace_files import replace_files
from litellm_prompt_router.profile.profile import Profile

GENERATED_FILES = (PROFILE_FILE, REVIEW_FILE, FIT_FILE, TABLE_FILE)


class ProfileEditor:
    """A profile's folder with edits to it, of which nothing is on disk before ``save``.

    The profile's own files are profile.yaml, the module files that it names, REVIEW.md, router.json and router.npz.
    Whatever else is in the folder stays as it is.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / PROFILE_FILE
        self._edits: dict[str, bytes | None] = {}
        self._private: set[str] = set()

    @property
    def path(self) -> Path:
        """Where profile.yaml is."""
        return self._path

    @property
    def text(self) -> str:
        """profile.yaml with the edits so far. Raises ConfigurationError when there is none."""
        edited = self._edits.get(PROFILE_FILE)
        return read_text(self._path, str(self._path)) if edited is None else edited.decode()

    def read(self, name: str) -> bytes | None:
        """A file with the edits so far; None where there is none."""
        name = _plain(name)
        return self._edits[name] if name in self._edits else self._on_disk(name)

    def write(self, name: str, content: bytes, *, is_private: bool = False) -> None:
        """A file's whole content. ``is_private``: only its owner may read it."""
        self._edits[_plain(name)] = content
        if is_private:
            self._private.add(_plain(name))

    def remove(self, name: str) -> None:
        self._edits[_plain(name)] = None

    def remove_profile(self) -> None:
        """Removes all of the profile's own files, to make room for another profile of that name."""
        for name in self._own_files(self._on_disk(PROFILE_FILE)):
            self.remove(name)

    def set_section(self, name: str, content: Mapping[str, Any]) -> None:
        """A top-level section of profile.yaml, new or in place of the one that is there."""
        self._edit(lambda raw: with_section(raw, name, content), name)

    def remove_section(self, name: str) -> None:
        self._edit(lambda raw: without_section(raw, name), name)

    def set_entries(self, *, version: str, modules: Sequence[ModuleEntry], slots: Sequence[SlotEntry]) -> None:
        """The version, the modules in their order, and the slots of profile.yaml."""
        self._edit(lambda raw: with_entries(raw, version=version, modules=modules, slots=slots), "modules")

    def set_field(self, name: str, value: bool) -> None:
        """Another value of a top-level field that profile.yaml has."""
        self._edit(lambda raw: with_field(raw, name, value), name)

    def set_module_fields(self, wanted: Mapping[str, Mapping[str, Any]]) -> None:
        """Fields of modules, by their id; None takes a field out."""
        self._edit(lambda raw: with_module_fields(raw, wanted), "modules")

    def add_examples(self, wanted: Mapping[str, Sequence[str]]) -> int:
        """How many examples were added to modules, by their id, that don't have them yet."""
        added = 0

        def extend(raw: str) -> str:
            nonlocal added
            changed, added = with_examples(raw, wanted)
            return changed

        self._edit(extend, "examples")
        return added

    def load(self) -> Profile:
        """The profile as the edits make it. Raises ConfigurationError when that is none."""
        contents = {name: self.read(name) for name in self._own_files(self.read(PROFILE_FILE))}
        try:
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
                tried = Path(temporary, self.folder.parent.name, self.folder.name)
                for name, content in contents.items():
                    if content is not None:
                        (tried / name).parent.mkdir(parents=True, exist_ok=True)
                        (tried / name).write_bytes(content)
                return load_profile(tried, len)
        except OSError as error:
            problem = f"{self.folder}: can't be tried in {tempfile.gettempdir()} ({error.strerror or error})"
            raise ConfigurationError([f"{problem}; nothing was changed"]) from None

    def save(self, check: Callable[[Profile], None] = lambda _: None) -> None:
        """Writes the edits, all of them or none, once the edited profile loads and passes ``check``.

        Raises ConfigurationError, or what ``check`` raises; then the folder is as it was.
        """
        check(self.load())
        changed = {name: content for name, content in self._edits.items() if content != self._on_disk(name)}
        # What goes first, so that a reader between two changes finds a file missing rather than a wrong one.
        order = sorted(changed, key=lambda name: (changed[name] is not None, name == PROFILE_FILE))
        private = {self.folder / name for name in self._private}
        replace_files({self.folder / name: changed[name] for name in order}, self.folder, private)
        for name in order:
            if changed[name] is None:
                self._remove_empty_folders(name)

    def _edit(self, edit: Callable[[str], str], what: str) -> None:
        try:
            self.write(PROFILE_FILE, edit(self.text).encode())
        except (ValueError, YAMLError) as error:
            problem = f"{self._path}: {what} can't be written ({error}); make the change by hand"
            raise ConfigurationError([problem]) from None

    def _on_disk(self, name: str) -> bytes | None:
        path = self.folder / name
        try:
            return path.read_bytes() if path.is_file() else None
        except OSError as error:
            raise ConfigurationError([f"{path}: can't be read ({error.strerror}); fix its permissions"]) from None

    def _own_files(self, declaration: bytes | None) -> Iterator[str]:
        """Those of a profile.yaml that need not be in order; none outside the folder or behind a link."""
        yield from GENERATED_FILES
        with contextlib.suppress(ConfigurationError):
            for _, name in named_files(parse_yaml((declaration or b"").decode(errors="replace"), PROFILE_FILE)):
                path = PurePosixPath(name)
                is_inside = path.name and name.isprintable() and not path.is_absolute() and ".." not in path.parts
                if is_inside and (self.folder / path).parent.resolve().is_relative_to(self.folder.resolve()):
                    yield str(path)

    def _remove_empty_folders(self, name: str) -> None:
        for parent in PurePosixPath(name).parents[:-1]:
            try:
                (self.folder / parent).rmdir()
            except OSError:
                return


def _plain(name: str) -> str:
    return str(PurePosixPath(name))
