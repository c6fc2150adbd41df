"""``prompt-router onboard``."""

from __future__ import annotations

import re
from pathlib import Path

import click

from litellm_prompt_router.cli.inputs import json_option, profiles_option, profiles_target, read_bytes, shown
from litellm_prompt_router.cli.learn_command import MIN_CHARS
from litellm_prompt_router.cli.output import say
from litellm_prompt_router.documents.errors import ConfigurationError

INTERRUPTED = 130
"""The shell's exit code for a program stopped by Ctrl-C."""
SUFFIXES = (".html", ".htm")
NAME = re.compile(r"\w[\w.-]*")


@click.command()
@click.argument("source", metavar="TRAFFIC.jsonl|PROMPT.txt|-")
@click.option("--name", metavar="NAME", help="Name of the profile; further agents are NAME-2 ... Default: the file's.")
@click.option("--model", metavar="NAME", help="LiteLLM's name of the model to account for. Default: the traffic's.")
@click.option("--prices", "stated", metavar="JSON|FILE", help="USD per million tokens in place of LiteLLM's map.")
@click.option(
    "--router-model", metavar="NAME", help="The routing model whose cost is told. Default: a small one, for its price."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PAGE.html",
    help="The page. Default: onboard-NAME.html in this folder.",
)
@click.option("--open", "opens", is_flag=True, help="Show the page in the browser.")
@click.option(
    "--min-chars", type=click.IntRange(1), default=MIN_CHARS, show_default=True, help="Leave shorter prompts out."
)
@click.option("--fresh", is_flag=True, help="Do every step again, whatever an earlier run has done.")
@click.option("--replace", is_flag=True, help="Draft again what a person has changed, too.")
@profiles_option
@json_option
@click.pass_context
def onboard(
    ctx: click.Context,
    /,
    source: str,
    name: str | None,
    model: str | None,
    stated: str | None,
    router_model: str | None,
    out: Path | None,
    opens: bool,
    min_chars: int,
    fresh: bool,
    replace: bool,
    root: Path | None,
    as_json: bool,
) -> None:
    """From an agent to a verdict: what prompt routing would save, what it would leave out, and what it takes.

    Drafts a profile of each agent in TRAFFIC.jsonl (as `capture` writes it) or of PROMPT.txt, checks it, replays
    the traffic as `simulate` does, and writes one page. Which of the two the file is shows in what it holds.

    Where the replay shows no gain, its draft gets `economics` that leave it alone. Calls of endpoints that can't be
    replayed are left out of all money; the page says what they are made of.

    It says what a routing model would be asked about this traffic, and what that costs; nothing is asked.

    Nothing changes on the wire: drafts are unreviewed, and the proxy only watches with them. A profile that a
    person has made or changed is used as it is. Finished steps are kept in .onboard beside the profiles, so that
    the same command goes on where it was stopped.
    """
    from litellm_prompt_router.cli.onboard_steps import Onboarding
    from litellm_prompt_router.cli.onboard_wishes import Wishes

    raw = read_bytes(source)
    chosen = name or re.sub(r"[^\w.-]+", "-", "agent" if source == "-" else Path(source).stem).strip("-.") or "agent"
    if not NAME.fullmatch(chosen):
        raise ConfigurationError([f"--name: {chosen!r} is no profile's name; use letters, digits, '.', '_' and '-'"])
    if out is not None:
        check_page(out)
    wishes = Wishes(
        name=chosen,
        is_named=name is not None,
        model=model,
        stated_prices=stated,
        router_model=router_model,
        page=out,
        root=profiles_target(root),
        min_chars=min_chars,
        is_fresh=fresh,
        replaces=replace,
        as_json=as_json,
    )
    try:
        page = Onboarding(raw, shown(source), wishes).run()
    except KeyboardInterrupt:
        say("stopped; run the same command again to go on", err=True)
        ctx.exit(INTERRUPTED)
    if opens and page is not None:
        click.launch(str(page.absolute()))


def check_page(page: Path) -> None:
    """Raises ConfigurationError for a page that can't be one or has no folder to lie in."""
    if page.suffix.lower() not in SUFFIXES:
        raise ConfigurationError([f"--out: {page}: the page is HTML; name it {page.with_suffix('.html')}"])
    if not page.parent.is_dir():
        raise ConfigurationError([f"--out: {page}: there is no folder {page.parent}; make it, or name another"])
