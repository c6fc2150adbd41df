"""``prompt-router join``."""

from __future__ import annotations

from pathlib import Path

import click

from litellm_prompt_router.cli.inputs import profile_folders, profiles_option, profiles_root, unknown_profile
from litellm_prompt_router.cli.output import show_bytes
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files import load_profile


@click.command()
@click.argument("profile")
@profiles_option
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write here instead of stdout.")
def join(profile: str, root: Path | None, output: Path | None) -> None:
    """Print the monolithic prompt of PROFILE: its modules joined in order, slots filled with their samples.

    The bytes are exact: no newline is added or translated.
    """
    folders = profile_folders(profiles_root(root))
    if profile not in folders:
        raise unknown_profile(profile, tuple(folders))
    raw = load_profile(folders[profile], len).text.encode()
    if output is None:
        show_bytes(raw)
        return
    try:
        output.write_bytes(raw)
    except OSError as error:
        raise ConfigurationError([f"{output}: can't be written ({error.strerror}); choose another file"]) from None
