"""``prompt-router tune``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click

from litellm_prompt_router.analysis.conversation_links import LinkedCall
from litellm_prompt_router.analysis.simulate import write_economics
from litellm_prompt_router.analysis.simulate.economics_section import SECTION
from litellm_prompt_router.analysis.simulate.ledger_tuning import LedgerTuning, explain_records, tune_from_ledger
from litellm_prompt_router.cli.inputs import (
    json_option,
    profile_folders,
    profiles_option,
    profiles_root,
    settings_of_environment,
)
from litellm_prompt_router.cli.ledger_command import told
from litellm_prompt_router.cli.ledger_inputs import LedgerReader, profiles_to_account, tally_for_json, terms_by
from litellm_prompt_router.cli.model_accounts import say_terms, watched
from litellm_prompt_router.cli.output import say, show_json, show_table
from litellm_prompt_router.cli.simulated_gains import review_for_json, say_unreviewed
from litellm_prompt_router.cli.tune_option import candidate_rows, said, tuning_for_json
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.documents.plurals import many
from litellm_prompt_router.files import PROFILE_FILE
from litellm_prompt_router.profile.profile import Profile

NOT_WRITTEN: Final = "nothing written; --write does"


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="LEDGER...")
@click.option("--profile", "name", metavar="NAME", help="The profile to tune. Default: every one in the ledger.")
@click.option("--model", metavar="NAME", help="LiteLLM's name of the model to account for. Default: the ledger's.")
@click.option("--prices", "stated", metavar="JSON|FILE", help="USD per million tokens in place of LiteLLM's map.")
@click.option("--write", "writes", is_flag=True, help="Write what is found into the profile's `economics:`.")
@profiles_option
@json_option
def tune(
    paths: tuple[str, ...],
    name: str | None,
    model: str | None,
    stated: str | None,
    writes: bool,
    root: Path | None,
    as_json: bool,
) -> None:
    """Find what is cheapest for a profile from the proxy's ledger alone: no text is needed, and nothing captured.

    LEDGER are files, folders and patterns as `report` reads them, of shadow mode or of rewriting. What routing wanted,
    when calls came and how their histories grew is all in there. Exact module sets, bundles that many conversations
    share, every module and no rewriting are accounted on the first half of the conversations with a model of the
    provider's cache; the cheapest is measured on the second half, which can only refuse it.

    It takes 40 conversations that the profile's present version, fit and modules routed. With fewer, and beside what
    tuning finds, it tells how the profile is used: calls for each user message, and how often a module is needed later
    in conversations that begin without it. The cost gate goes by that where nothing is tuned.
    """
    reader = LedgerReader(paths)
    recorded, loaded, chosen = profiles_to_account(reader, root, name)
    if not chosen:
        raise ConfigurationError([_nothing(paths, recorded, loaded)])
    found = [tune_profile(reader, profile, model, stated) for profile in chosen]
    folders = profile_folders(profiles_root(root)) if writes else {}
    if as_json:
        _write(found, folders)
        show_json([_for_json(tuning, profile) for tuning, profile in zip(found, chosen, strict=True)])
        return
    for tuning, profile in zip(found, chosen, strict=True):
        _say(tuning, profile, model)
        _write([tuning], folders)
        say(_said_of_writing(tuning, folders))
    for line in told(reader.tally):
        say(line, err=True)


def tune_profile(reader: LedgerReader, profile: Profile, model: str | None, stated: str | None) -> LedgerTuning:
    """What the ledger says of one profile. Raises ConfigurationError where it can't be tuned at all."""
    if settings_of_environment().placement == "latest":
        raise ConfigurationError([f"{profile.name} is placed `latest`, which has no first turn to go by; use auto"])

    def watch(calls: Sequence[LinkedCall], what: str) -> Iterator[LinkedCall]:
        return watched(calls, f"{profile.name}: {what}")

    return tune_from_ledger(reader.records(), profile, terms_by(model, stated), model=model, watch=watch)


def _nothing(paths: Sequence[str], recorded: dict[str, int], loaded: Sequence[str]) -> str:
    if not recorded:
        where = ", ".join(paths)
        return f"{where}: no record of a recognised prompt; a proxy writes them in shadow mode and when it rewrites"
    there = ", ".join(f"{name} ({count:,})" for name, count in recorded.items())
    return f"the ledger has other profiles than those loaded: {there}; loaded: {', '.join(loaded)}; see --profiles"


def _say(found: LedgerTuning, profile: Profile, model: str | None) -> None:
    say(
        f"{profile.name}: {many(found.conversations, 'conversation')} of {many(found.calls, 'call')}"
        f" in {many(found.tally.records, 'record')}"
    )
    left_out = explain_records(found.tally)
    if left_out:
        say(f"left out: {left_out}")
    if found.terms is not None:
        say_terms(found.terms)
    if len(found.models) > 1:
        counts = ", ".join(f"{name} {count:,}" for name, count in found.models.items())
        how = "as --model says" if model is not None else "as if all were the most frequent; --model names another"
        say(f"calls by model: {counts}; accounted {how}")
    if found.tuning is not None:
        say("")
        show_table(("on the first half", "#vs full-cached", "clearly cheaper"), candidate_rows(found.tuning))
        say(f"\n{said(found.tuning)}")
    else:
        say(f"{found.why_not}")
    if found.use is not None and found.use.calls_per_message is not None:
        say(f"calls for each user message: {found.use.calls_per_message:g}")
    if found.use is not None and found.use.later_chances:
        say("")
        rows = sorted(found.use.later_chances.items(), key=lambda item: (-item[1], item[0]))
        show_table(
            ("needed later, where a conversation begins without it", "#chance"),
            [(module, f"{chance:.1%}") for module, chance in rows],
        )
    say_unreviewed([profile])


def _write(found: Sequence[LedgerTuning], folders: dict[str, Path]) -> None:
    for tuning in found:
        if tuning.section is not None and tuning.profile in folders:
            write_economics(folders[tuning.profile], tuning.section)


def _said_of_writing(found: LedgerTuning, folders: dict[str, Path]) -> str:
    if found.section is None:
        return "nothing to write"
    folder = folders.get(found.profile)
    return NOT_WRITTEN if folder is None else f"written to {folder / PROFILE_FILE}"


def _for_json(found: LedgerTuning, profile: Profile) -> dict[str, Any]:
    prices = None if found.terms is None else {n: str(value) for n, value in asdict(found.terms.prices).items()}
    return {
        "profile": found.profile,
        "model": None if found.terms is None else found.terms.model,
        "prices": prices,
        "models": dict(found.models),
        "conversations": found.conversations,
        "calls": found.calls,
        **tally_for_json(found.tally),
        "why_not": found.why_not,
        **({} if found.tuning is None else tuning_for_json(found.tuning)),
        "use": None if found.use is None else asdict(found.use),
        SECTION: found.section,
        **review_for_json(profile),
    }
