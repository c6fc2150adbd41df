"""``prompt-router review``."""

from __future__ import annotations

from pathlib import Path

import click

from litellm_prompt_router.authoring.split.review_sheet import risky_part
from litellm_prompt_router.cli.inputs import (
    profile_folders,
    profiles_option,
    profiles_root,
    unknown_profile,
)
from litellm_prompt_router.cli.output import percent, say, say_text, show_table
from litellm_prompt_router.files import REVIEW_FILE, load_profile
from litellm_prompt_router.files.profile_editor import ProfileEditor
from litellm_prompt_router.profile.profile import Profile
from litellm_prompt_router.request.route import with_model_choosing


@click.command()
@click.argument("name")
@click.option("--accept", is_flag=True, help="Set `reviewed: true`, if `check` finds no problem.")
@profiles_option
def review(name: str, accept: bool, root: Path | None) -> None:
    """Show what the profile NAME may leave out, with the rules and captured messages that REVIEW.md quotes for it.

    A draft says `reviewed: false` and runs in shadow mode at most. With --accept it may rewrite, as far as settings and
    policy let it.
    """
    from litellm_prompt_router.profile.tokens import token_counter

    folders = profile_folders(profiles_root(root))
    if name not in folders:
        raise unknown_profile(name, tuple(folders))
    profile = load_profile(folders[name], token_counter())
    if accept:
        _accept(folders[name], profile)
        return
    _show(with_model_choosing(profile), ProfileEditor(folders[name]).read(REVIEW_FILE))


def _accept(folder: Path, profile: Profile) -> None:
    if profile.reviewed:
        say(f"{profile.name}: reviewed already")
        return
    editor = ProfileEditor(folder)
    editor.set_field("reviewed", True)
    editor.save()
    taken_up = "proxies that read this folder take it up within seconds, while they run"
    say(f"{profile.name}: accepted, `reviewed: true` is in {editor.path}; {taken_up}")


def _say_routing_model(profile: Profile) -> None:
    """What a routing model's word counts for, where one is asked."""
    if profile.routing_model is None:
        return
    freed = [module.id for module in profile.modules if module.until_labelled and not module.always]
    told = f", {', '.join(freed)} among them, which nothing but its answer takes out of the core" if freed else ""
    say(
        f"\nfor keys with `router_model: true`, {profile.routing_model.model} says for each task which of these it "
        f"needs{told}; without its answer all of them are sent"
    )


def _show(profile: Profile, sheet: bytes | None) -> None:
    total = max(sum(module.tokens for module in profile.modules), 1)
    optional = [module for module in profile.modules if not module.always]
    say(f"{profile.name} {profile.version}: {'reviewed' if profile.reviewed else 'not reviewed, shadow at most'}")
    if optional:
        share = percent(sum(module.tokens for module in optional) / total)
        say(f"{len(optional)} of {len(profile.modules)} modules, {share} of the tokens, may be left out:\n")
        is_told = any(module.when for module in optional)
        rows = [
            (m.id, f"{m.tokens:,}", percent(m.tokens / total), ", ".join(m.tools), ", ".join(m.triggers))
            + (m.when,) * is_told
            for m in optional
        ]
        show_table(("module", "#tokens", "#share", "tools", "triggers") + ("needed when",) * is_told, rows)
        _say_routing_model(profile)
    else:
        say("no module may be left out: every one is in the core")
    part = risky_part(sheet.decode("utf-8", "replace")) if sheet is not None else ""
    if part:
        say_text(f"\nFrom {REVIEW_FILE}, as drafted:\n\n{part}")
    if not profile.reviewed:
        say(f"\nto accept it: prompt-router review {profile.name} --accept")
