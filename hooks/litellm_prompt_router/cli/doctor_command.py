"""``prompt-router doctor``."""

from __future__ import annotations

import logging
import os
import time
from dataclasses import asdict
from pathlib import Path

import click

from litellm_prompt_router.cli.inputs import json_option
from litellm_prompt_router.cli.output import say, show_json
from litellm_prompt_router.cli.proxy_config import KEY_VARIABLE, environment_of_file, read_document
from litellm_prompt_router.documents.bundled import default_config


@click.command()
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="LiteLLM configuration. Default: ./proxy_config.yaml, else the bundled one.",
)
@click.option("--url", metavar="URL", help="A running proxy to ask as well: http://127.0.0.1:4000.")
@click.option("--key", metavar="KEY", help=f"Its admin key. Default: {KEY_VARIABLE}, of ./.env too.")
@json_option
@click.pass_context
def doctor(ctx: click.Context, path: Path | None, url: str | None, key: str | None, as_json: bool) -> None:
    """Look at the configuration, profiles, policy, folders and what has to be reachable: a line each.

    Run it where the proxy runs: in its folder, as its user, with its environment; variables of ./.env count as they do
    for `serve`. Nothing is sent to a provider or to GlitchTip. Exit code 1 when a line says FAIL.
    """
    from litellm_prompt_router.operations.doctor import examine, examine_online

    environ = {**environment_of_file(), **os.environ}
    # LiteLLM, which is asked about models, must not go to the network for that.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    config = path or default_config()
    document = read_document(config)
    logging.disable(logging.WARNING)  # it logs what it can't find out, which is told here in a line
    try:
        findings = list(examine(config, document, environ, time.time()))
    finally:
        logging.disable(logging.NOTSET)
    if url is not None:
        findings.extend(examine_online(url, key or environ.get(KEY_VARIABLE), time.time()))
    if as_json:
        show_json({"config": str(config), "findings": [asdict(finding) for finding in findings]})
    else:
        width = max(len(finding.check) for finding in findings)
        for finding in findings:
            todo = f" -> {finding.todo}" if finding.todo is not None else ""
            level = finding.level.upper() if finding.level == "fail" else finding.level
            say(f"{level:<4}  {finding.check:<{width}}  {finding.text}{todo}")
    if any(finding.level == "fail" for finding in findings):
        ctx.exit(1)
