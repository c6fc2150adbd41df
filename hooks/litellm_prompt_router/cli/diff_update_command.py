"""``prompt-router diff`` and ``prompt-router update``: a profile and a new version of its prompt."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

import click

from litellm_prompt_router.authoring.drift import (
    PlannedModule,
    UpdatePlan,
    apply_update,
    files_of,
    plan_update,
    summary_of,
)
from litellm_prompt_router.cli.inputs import (
    json_option,
    profile_folders,
    profiles_option,
    profiles_root,
    unknown_profile,
)
from litellm_prompt_router.cli.output import say, say_text, show_json, show_table
from litellm_prompt_router.cli.prompt_samples import read_prompt
from litellm_prompt_router.files import load_profile

CONTEXT_LINES = 1


@click.command()
@click.argument("name")
@click.argument("prompt", metavar="NEW_PROMPT.txt|-")
@click.option("-v", "--verbose", is_flag=True, help="Show what was edited, too.")
@profiles_option
@json_option
def diff(name: str, prompt: str, verbose: bool, root: Path | None, as_json: bool) -> None:
    """Compare the profile NAME with NEW_PROMPT.txt, module by module: unchanged, edited, moved, new, gone.

    Nothing is written; `prompt-router update` applies it. Modules are shown in the order of the new prompt.
    """
    _, plan = _planned(name, prompt, root, None)
    _show_plan(plan, as_json=as_json, verbose=verbose)


@click.command()
@click.argument("name")
@click.argument("prompt", metavar="NEW_PROMPT.txt|-")
@click.option("--version", "version", metavar="VERSION", help="The new version. Default: the next one.")
@click.option("--dry-run", is_flag=True, help="Only show what would be done.")
@profiles_option
@json_option
def update(name: str, prompt: str, version: str | None, dry_run: bool, root: Path | None, as_json: bool) -> None:
    """Make the profile NAME one of NEW_PROMPT.txt, which it then joins to byte for byte.

    Modules that survive keep their ids, metadata and routing data; new sections are cut as `split` would and
    their metadata is drafted; what needs a look is told and appended to the profile's REVIEW.md. In profile.yaml
    everything else stays as it is, comments included. All of it is done, or nothing.
    """
    folder, plan = _planned(name, prompt, root, version)
    if plan.is_changed and not dry_run:
        apply_update(plan, folder)
    _show_plan(plan, as_json=as_json, verbose=False)
    if as_json:
        return
    if not plan.is_changed:
        say("\nnothing to update")
    else:
        say(f"\n{'would update' if dry_run else 'updated'} {folder}")


def _planned(name: str, prompt: str, root: Path | None, version: str | None) -> tuple[Path, UpdatePlan]:
    """``(the profile's folder, the plan)`` for the prompt in that file."""
    from litellm_prompt_router.profile.tokens import token_counter

    folders = profile_folders(profiles_root(root))
    if name not in folders:
        raise unknown_profile(name, tuple(folders))
    text = read_prompt(prompt)
    count_tokens = token_counter()
    profile = load_profile(folders[name], count_tokens)
    file_of = files_of(folders[name])
    return folders[name], plan_update(profile, text, file_of=file_of, version=version, count_tokens=count_tokens)


def _show_plan(plan: UpdatePlan, *, as_json: bool, verbose: bool) -> None:
    """The plan as tables or JSON on stdout."""
    summary = summary_of(plan)
    everything = (*plan.modules, *plan.gone)
    if as_json:
        show_json(
            {
                "profile": plan.profile.name,
                "version": plan.profile.version,
                "new_version": plan.version,
                "is_changed": plan.is_changed,
                "summary": summary,
                "modules": [_document(planned) for planned in everything],
                "lost_slots": list(plan.lost_slots),
                "notes": list(plan.notes),
            }
        )
        return
    told = ", ".join(f"{count} {state}" for state, count in summary.items() if count)
    say(f"{plan.profile.name} {plan.profile.version} -> {plan.version}: {told}\n")
    show_table(
        ("module", "state", "#chars before", "#chars after", "title"),
        [(p.id, _state(p), _count(p.before), _count(p.after), p.title) for p in everything],
    )
    if verbose:
        for planned in plan.modules:
            if planned.state == "edited":
                say()
                say_text("\n".join(_unified(planned)))
    if plan.notes:
        say("\nneeds a look:")
    for note in plan.notes:
        say(f"  {note}")


def _document(planned: PlannedModule) -> dict[str, object]:
    document = {
        "id": planned.id,
        "state": planned.state,
        "has_moved": planned.has_moved,
        "title": planned.title,
        "chars_before": len(planned.before),
        "chars_after": len(planned.after),
    }
    return {**document, "diff": list(_unified(planned))} if planned.state == "edited" else document


def _state(planned: PlannedModule) -> str:
    return "edited, moved" if planned.state == "edited" and planned.has_moved else planned.state


def _count(text: str) -> str:
    return f"{len(text):,}" if text else ""


def _unified(planned: PlannedModule) -> Iterable[str]:
    before, after = planned.before.splitlines(), planned.after.splitlines()
    lines = list(difflib.unified_diff(before, after, planned.id, "new", lineterm="", n=CONTEXT_LINES))
    return lines or [f"{planned.id}: white space or line endings only"]
