"""What several commands read: profiles and JSON files. Everything wrong is a ConfigurationError."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from litellm_prompt_router.cli import FOLDER_NOTE
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.documents.problems import suggestion
from litellm_prompt_router.files import OWN_FOLDER, PROFILE_FILE, bundled_profiles, default_profiles, load_profiles
from litellm_prompt_router.policy.settings import Settings, load_settings
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.types import CHAT, GEMINI, MESSAGES, RESPONSES

USUAL_PROFILE = "workbench"
PIPED = ("join", "rewrite")
"""Commands whose output is a prompt or a request body."""

profiles_option = click.option(
    "--profiles",
    "root",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder that holds the profiles. Default: PROMPT_ROUTER_PROFILES, else ./modules, else the bundled ones.",
)
profile_option = click.option(
    "--profile", "name", metavar="NAME", help=f"The profile. Default: the only one there is, or {USUAL_PROFILE}."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")


def settings_of_environment() -> Settings:
    """Settings as the proxy would have them without a config section."""
    return load_settings(None, os.environ)


def profiles_root(root: Path | None) -> Path:
    """The folder to read profiles from. Where it isn't ``root``, it is told when the command is done."""
    if root is not None:
        return root
    found = settings_of_environment().profiles or default_profiles(Path())
    _note_folder(f"profiles: the bundled ones, {found}" if found == bundled_profiles() else f"profiles: {found}")
    return found


def profiles_target(root: Path | None) -> Path:
    """The folder to write new profiles to: never the bundled ones, unless told so."""
    _note_folder(None)
    return root or settings_of_environment().profiles or Path(OWN_FOLDER)


def setting_for(root: Path) -> str:
    """What makes a proxy read the profiles in this folder, in a line or two for people."""
    line = f"callback_settings: {{prompt_router: {{profiles: {root.absolute()}}}}}"
    if root.absolute() == Path(OWN_FOLDER).absolute():
        return (
            f"A proxy that runs in this folder reads them from {root}; for another add to its configuration:\n  {line}"
        )
    return f"For a proxy to read them, add to its configuration:\n  {line}"


def _note_folder(note: str | None) -> None:
    """Leaves what ``Commands`` prints on stderr at the end; nothing where the output is for programs."""
    context = click.get_current_context(silent=True)
    if context is None:
        return
    is_for_programs = context.params.get("as_json") or context.info_name in PIPED
    context.meta[FOLDER_NOTE] = None if is_for_programs else note


def profile_folders(root: Path) -> dict[str, Path]:
    """Profile folders by name; empty when there are none."""
    return {path.parent.name: path.parent for path in sorted(root.glob(f"*/{PROFILE_FILE}"))}


def read_profiles(root: Path | None) -> tuple[tuple[Profile, ...], Callable[[str], int]]:
    """All profiles, and the counter that their sizes come from."""
    from litellm_prompt_router.profile.tokens import token_counter

    count_tokens = token_counter()
    return load_profiles(profiles_root(root), count_tokens), count_tokens


def unknown_profile(name: str, known: Sequence[str]) -> ConfigurationError:
    return ConfigurationError([f"{name}: no such profile; {suggestion(name, known, 'there are:')}"])


def choose_name(known: Sequence[str], name: str | None) -> str:
    """The name, when there is such a profile; without one the only one there is, or ``workbench``."""
    if name is None and len(known) == 1:
        return known[0]
    if name is None and USUAL_PROFILE not in known:
        raise ConfigurationError([f"--profile: say which one: {', '.join(sorted(known)) or 'there is none'}"])
    if (name or USUAL_PROFILE) not in known:
        raise unknown_profile(name or USUAL_PROFILE, known)
    return name or USUAL_PROFILE


def choose_profile(profiles: Sequence[Profile], name: str | None) -> Profile:
    """The named profile; without a name the only one there is, or ``workbench``."""
    by_name = {profile.name: profile for profile in profiles}
    return by_name[choose_name(tuple(by_name), name)]


def read_bytes(path: str) -> bytes:
    """The file's bytes; ``-`` is stdin."""
    if path == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(path).read_bytes()
    except IsADirectoryError:
        raise ConfigurationError([f"{path}: is a folder; give a file"]) from None
    except OSError as error:
        raise ConfigurationError([f"{path}: can't be read ({error.strerror}); check the path"]) from None


def read_text_file(path: str) -> str:
    """The file's text; a byte order mark is no part of it."""
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError([f"{shown(path)}: not UTF-8 at byte {error.start}; convert it"]) from None


def shown(path: str) -> str:
    """The path as messages name it."""
    return "stdin" if path == "-" else path


def parse_json(raw: bytes, path: str) -> Any:
    where = shown(path)
    try:
        return json.loads(raw)
    except json.JSONDecodeError as error:
        raise ConfigurationError(
            [f"{where}: not valid JSON at line {error.lineno}, column {error.colno}: {error.msg}; correct it"]
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigurationError([f"{where}: not UTF-8 at byte {error.start}; convert it"]) from None
    except RecursionError:
        raise ConfigurationError([f"{where}: nested too deeply; is this the right file?"]) from None


def request_body(document: Any, path: str) -> dict[str, Any]:
    """The parsed file when it is a request body."""
    if not isinstance(document, dict):
        raise ConfigurationError([f"{shown(path)}: must be a JSON object, a request body with `model` and `messages`"])
    return document


def call_type_of(body: dict[str, Any]) -> str:
    """The proxy's name for the endpoint that takes such a body."""
    if "input" in body or "instructions" in body:
        return RESPONSES
    if "contents" in body:
        return GEMINI
    return MESSAGES if "system" in body else CHAT
