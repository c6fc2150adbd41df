"""``prompt-router split``."""

from __future__ import annotations

import re
from pathlib import Path

import click

from litellm_prompt_router.authoring.split import Draft, split_prompt, write_draft
from litellm_prompt_router.authoring.split.review_sheet import NO_REQUEST
from litellm_prompt_router.authoring.split.write_draft import check_free
from litellm_prompt_router.cli.inputs import (
    parse_json,
    profiles_option,
    profiles_target,
    read_bytes,
    request_body,
    setting_for,
    shown,
)
from litellm_prompt_router.cli.llm_drafting import with_model
from litellm_prompt_router.cli.output import percent, say, say_text, show_table
from litellm_prompt_router.documents.errors import ConfigurationError
from litellm_prompt_router.files import REVIEW_FILE
from litellm_prompt_router.request.wire.declared_tools import tool_names

NAME = re.compile(r"\w[\w.-]*")


@click.command()
@click.argument("samples", nargs=-1, required=True, metavar="PROMPT.txt [MORE_SAMPLES.txt]...")
@click.option("--name", required=True, help="Name of the profile, and of its folder.")
@profiles_option
@click.option("--replace", is_flag=True, help="Replace the profile of that name.")
@click.option("--request", metavar="CAPTURED.json", help="A request with this prompt: its tools are given to modules.")
@click.option("--target-chars", type=click.IntRange(min=1), help="Size to aim at. Default: by the prompt's own.")
@click.option("--min-chars", type=click.IntRange(min=1), help="Smaller pieces join a neighbour. Default: target / 3.")
@click.option("--max-chars", type=click.IntRange(min=1), help="Larger pieces are cut further. Default: target * 2.")
@click.option(
    "--max-share",
    type=click.FloatRange(min=0, max=1, min_open=True),
    default=0.15,
    show_default=True,
    help="Largest part of the prompt's tokens that one module may be, if it can be divided.",
)
@click.option(
    "--llm", metavar="MODEL", help="Have a model draft descriptions, requirements and examples; any LiteLLM name."
)
@click.option("--apply-slots", is_flag=True, help="With one sample: make slots of what looks as if it varied.")
def split(
    samples: tuple[str, ...],
    name: str,
    root: Path | None,
    replace: bool,
    request: str | None,
    target_chars: int | None,
    min_chars: int | None,
    max_chars: int | None,
    max_share: float,
    llm: str | None,
    apply_slots: bool,
) -> None:
    """Write the profile NAME: PROMPT.txt cut into modules, with drafted metadata and a review sheet.

    Every byte is in one module: `prompt-router join NAME` prints PROMPT.txt again. Further samples are other
    captured versions of the same prompt: what differs between them becomes slots.

    A module is left out only where requests declare tools of the profile and none of that module's, and only if it
    holds nothing else; so without --request every module is in the core (`always: true`). Where that is for want of
    evidence, it says `until_labelled: true`: `fit` takes out what labelled messages show to be needed by some only.

    Read REVIEW.md in the profile's folder before you use it. Nothing goes over the network without --llm, which
    sends the prompt to that model, prints what it cost, and goes on where it was stopped when run again.
    """
    _check_name(name)
    texts = _texts(samples)
    tools = _tools(request) if request is not None else ()
    draft = split_prompt(
        texts,
        name=name,
        tools=tools,
        target_chars=target_chars,
        min_chars=min_chars,
        max_chars=max_chars,
        max_share=max_share,
        apply_proposals=apply_slots,
    )
    target = profiles_target(root)
    check_free(target, name, replace=replace)
    if llm is not None:
        answers = target / f".{name}.answers.jsonl"
        draft = with_model(draft, llm, answers)
    folder = write_draft(draft, target, replace=replace)
    if llm is not None:
        answers.unlink(missing_ok=True)
    _show(draft)
    say(f"\nwrote {folder}; read {folder / REVIEW_FILE} next, or `prompt-router review {name}`")
    say_text(setting_for(target))


def _check_name(name: str) -> None:
    if NAME.fullmatch(name) is None:
        raise ConfigurationError([f"--name: {name!r} is no name for a folder; use letters, digits, '_', '.' and '-'"])


def _texts(samples: tuple[str, ...]) -> list[str]:
    """The samples' exact texts. Raises ConfigurationError with what is wrong with any of them."""
    texts: list[str] = []
    problems: list[str] = []
    for path in samples:
        try:
            texts.append(read_bytes(path).decode("utf-8"))
        except ConfigurationError as error:
            problems.extend(error.problems)
        except UnicodeDecodeError as error:
            wrong = error.object[error.start]
            problems.append(f"{shown(path)}: not UTF-8 at byte {error.start} (0x{wrong:02x}); convert it")
        else:
            if not texts[-1]:
                problems.append(f"{shown(path)}: empty; there is nothing to split")
    if problems:
        raise ConfigurationError(problems)
    return texts


def _tools(path: str) -> tuple[str, ...]:
    body = request_body(parse_json(read_bytes(path), path), path)
    captured = body.get("request")
    return tool_names(captured if isinstance(captured, dict) else body)


def _show(draft: Draft) -> None:
    slots = f", {len(draft.slots)} slots" if draft.slots else ""
    core = f"core {draft.core_tokens:,} ({percent(draft.core_tokens / max(draft.tokens, 1))})"
    unproven = sum(module.tokens for module in draft.modules if module.until_labelled)
    core += f", of it {unproven:,} until labels show who needs it"
    say(f"{len(draft.modules)} modules, {len(draft.prompt):,} characters, {draft.tokens:,} tokens, {core}{slots}")
    if not draft.declared:
        say(NO_REQUEST)
    say(f"{len(draft.doubts)} doubts, {len(draft.proposals)} likely slots to look at\n")
    columns = ("module", "#tokens", "#share", "core because", "triggers", "tools")
    show_table(
        columns,
        [
            (
                module.id,
                f"{module.tokens:,}",
                percent(module.tokens / max(draft.tokens, 1)),
                module.reason,
                ", ".join(module.triggers),
                ", ".join(module.tools),
            )
            for module in draft.modules
        ],
    )
