"""``prompt-router check``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from litellm_prompt_router.authoring.check import ModuleReport, ProfileReport, check_profiles
from litellm_prompt_router.authoring.check.sample_report import SampleReport
from litellm_prompt_router.cli.inputs import (
    json_option,
    profile_folders,
    profiles_option,
    profiles_root,
    settings_of_environment,
    unknown_profile,
)
from litellm_prompt_router.cli.output import percent, say, show_json, show_table
from litellm_prompt_router.cli.prompt_samples import read_samples
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files import load_profile, load_profiles, review_sheet_in
from litellm_prompt_router.profile.profile import Profile, how_to_review


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--sample",
    "sample_paths",
    multiple=True,
    metavar="PROMPT.txt|TRAFFIC.jsonl",
    help="Prompts as they are sent, or captured traffic, to check the profiles against; may be given again.",
)
@profiles_option
@json_option
def check(names: tuple[str, ...], sample_paths: tuple[str, ...], root: Path | None, as_json: bool) -> None:
    """Check the profiles NAME..., or all.

    Problems (the proxy wouldn't start, or wouldn't do what the profile says) go to stderr, all at once, with exit
    code 1. Profiles that load are described on stdout, with warnings: what the proxy takes but looks forgotten.
    Warnings don't change the exit code.

    With --sample: how much of those prompts the profile covers, which of its modules are not in them, and which
    slots and unknown text vary from call to call. All samples count for NAME when one profile is checked, else
    each for the profile it is recognised as.
    """
    floor = settings_of_environment().coverage_floor
    root = profiles_root(root)
    profiles, problems = _load(root, names)
    samples = [sample for path in sample_paths for sample in read_samples(path)]
    reports = check_profiles(profiles, samples, floor=floor)
    problems.extend(error for report in reports for error in report.errors)
    claimed = sum(report.sample.samples + report.sample.others for report in reports if report.sample)
    if claimed < len(samples):
        say(f"{len(samples) - claimed} of {len(samples)} samples are no profile's prompt", err=True)
    if as_json:
        show_json({"profiles": [asdict(report) for report in reports], "problems": problems})
    else:
        for number, report in enumerate(reports):
            click.echo("\n" * (number > 0), nl=False)
            _show(report, review_sheet_in(root / report.name))
    if problems:
        raise ConfigurationError(problems)


def _load(root: Path, names: Sequence[str]) -> tuple[list[Profile], list[str]]:
    """What loads, and everything wrong with the rest."""
    from litellm_prompt_router.profile.tokens import token_counter

    count_tokens = token_counter()
    folders = profile_folders(root)
    if not folders:
        load_profiles(root, count_tokens)  # says what is wrong with the folder
    profiles: list[Profile] = []
    problems: list[str] = []
    for name in dict.fromkeys(names or folders):
        try:
            if name not in folders:
                raise unknown_profile(name, tuple(folders))
            profiles.append(load_profile(folders[name], count_tokens))
        except ConfigurationError as error:
            problems.extend(error.problems)
    return profiles, problems


def _show(report: ProfileReport, sheet: str | None) -> None:
    core = f"core {report.core_tokens:,} ({percent(report.core_token_share)})"
    review = "" if report.reviewed else f", not reviewed: in shadow at most; {how_to_review(report.name, sheet)}"
    say(f"{report.name} {report.version} (digest {report.digest[:12]}){review}")
    say(f"{len(report.modules)} modules, {report.chars:,} characters, {report.tokens:,} tokens, {core}")
    say(f"recognition covers {percent(report.coverage)} of the joined prompt")
    if report.expected_token_reduction is not None:
        say(f"the modules' examples need {percent(1 - report.expected_token_reduction)} of the tokens on average")
    if report.sample is not None:
        say(_sample_line(report.sample))
    say()
    columns = ("module", "#chars", "#tokens", "#share", "always", "requires", "#triggers", "#examples", "tools")
    show_table(columns, [_row(module) for module in report.modules])
    for warning in report.warnings:
        say(f"warning: {warning}")
    for note in report.notes:
        say(f"note: {note}")


def _sample_line(sample: SampleReport) -> str:
    others = f", {sample.others} of other prompts" if sample.others else ""
    coverage = f"{percent(sample.mean_coverage)} covered on average, {percent(sample.least_coverage)} at least"
    return f"{sample.samples} samples in {sample.versions} versions: {coverage}{others}"


def _row(module: ModuleReport) -> tuple[str, ...]:
    return (
        module.id,
        f"{module.chars:,}",
        f"{module.tokens:,}",
        percent(module.token_share),
        ("until labelled" if module.until_labelled else "always") if module.always else "",
        ", ".join(module.requires),
        str(module.trigger_count),
        str(module.example_count),
        ", ".join(module.tools),
    )
