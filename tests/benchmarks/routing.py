"""Routing learned from public sets, measured on conversations that had no part in it.

    python -m tests.benchmarks.routing DATA_FOLDER [--splits N] [--skip-latency]
    python -m tests.benchmarks.routing DATA_FOLDER --only-splits clinc20
    python -m tests.benchmarks.routing --agent PROMPT_FOLDER [--held-out FILE [--answers FILE]]

PROMPT_FOLDER holds a real agent's prompt with labelled messages (real_agent.py says in which files); without the option
it is DATA_FOLDER/../agent116k where that is there. Each of its messages is measured by fits on other conversations: on
half of all labels, and on four fifths; the messages in FILE by fits on all of them.

DATA_FOLDER holds ``NAME.jsonl`` (``text``, ``labels``, and where conversational ``dialogue``, ``turn``, ``history``,
``prev_labels``) with ``NAME.modules.json``. For each set profiles are built in a temporary folder, and every row of
the table is ``prompt-router fit`` and ``prompt-router evaluate`` with the files a user would have. Then many
random splits: how often measured coverage was at least what was promised; ``--only-splits`` makes those of one set
alone, one fit and one measurement of a second or two each. Last, how long scoring takes.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml
from click.testing import CliRunner
from rich.console import Console
from rich.progress import track
from rich.table import Table

from litellm_prompt_router.authoring.evaluate import compare
from litellm_prompt_router.authoring.fit import FitOptions, fit
from litellm_prompt_router.cli import main as cli
from litellm_prompt_router.files import load_profile
from litellm_prompt_router.files.labelled_messages import Conversations, Numbered, parse_cases
from litellm_prompt_router.profile.profile import Profile
from tests.benchmarks import agent_routing, scoring_time
from tests.benchmarks.real_agent import is_agent_folder

Rows = list[dict[str, Any]]
CONVERSATIONS_THAT_TEACH = 0.65
TARGET = 0.99


def build(root: Path, name: str, modules: dict[str, dict[str, str]], examples: dict[str, list[str]]) -> Path:
    """The folder of a profile with these modules, one tool each."""
    folder = root / name
    folder.mkdir()
    listed = []
    for number, (id, module) in enumerate(modules.items()):
        (folder / f"{number}.txt").write_text(f"# {module['name']}\n{module['description']}\n", "utf-8")
        listed.append(
            {
                "id": id.replace(" ", "_"),
                "file": f"{number}.txt",
                "title": module["name"],
                "description": module["description"],
                "examples": examples.get(id, []),
                "tools": [f"use_{id.replace(' ', '_')}"],
            }
        )
    document = {"profile": name, "version": "1", "modules": listed}
    (folder / "profile.yaml").write_text(yaml.safe_dump(document, allow_unicode=True), "utf-8")
    return folder


def written(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def labelled(row: dict[str, Any], label_of: Callable[[str], str]) -> dict[str, Any]:
    names = list(dict.fromkeys(label_of(label).replace(" ", "_") for label in row["labels"]))
    used = dict.fromkeys(label_of(label).replace(" ", "_") for label in row.get("prev_labels", ()))
    case = {"text": row["text"], "history": row.get("history", []), "needs": names}
    return {**case, "tool_calls": [f"use_{name}" for name in used]}


def run(*arguments: object) -> Any:
    result = CliRunner().invoke(cli, [*map(str, arguments), "--json"])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    if result.exit_code != 0:
        raise SystemExit(result.output)
    return json.loads(result.stdout)


def measured(folder: Path, fit_file: Path, test_file: Path, over: str, promise: str) -> tuple[str, ...]:
    """One row: what was promised, and what the held-out messages got."""
    where = ("--profile", folder.name, "--profiles", folder.parent)
    done = run("fit", fit_file, *where, "--target", TARGET, "--over", over, "--promise", promise)
    found = run("evaluate", test_file, *where)
    calibration, standings = done["calibration"], {s["router"]: s for s in found["comparison"]["standings"]}
    lexical = standings["lexical"]
    return (
        calibration["promise"],
        str(calibration["messages"]),
        f"{lexical['coverage']:.3f}",
        f"{lexical['first_need_coverage'] or 1:.3f}",
        f"{lexical['kept_tokens']:.2f}",
        f"{standings['oracle']['kept_tokens']:.2f}",
    )


def single_turn(data: Path, root: Path, table: Table) -> list[tuple[str, Profile, list[Numbered]]]:
    """CLINC150: its domains as modules, each described by the names of its intents."""
    kept: list[tuple[str, Profile, list[Numbered]]] = []
    for per_module in (20, 50, 100, 300):
        name, folder, rest = intents(data, root, per_module)
        fit_file = written(root / f"{name}_fit.jsonl", rest[:1000])
        test_file = written(root / f"{name}_test.jsonl", rest[1000:5000])
        for promise in ("expected", "guaranteed"):
            row_of = measured(folder, fit_file, test_file, "first-needs", promise)
            table.add_row(f"clinc150, {per_module} examples a module", "first needs", *row_of)
        profile = load_profile(folder, len, as_fitted=False)
        kept.append((name, profile, _parsed(rest, profile)))
    table.add_section()
    return kept[:2]


def intents(data: Path, root: Path, per_module: int) -> tuple[str, Path, Rows]:
    """A profile of CLINC150's domains with so many examples each, and all other messages, labelled."""
    rows, found = _set(data, "clinc150")
    domain_of = {id: intent["domain"] for id, intent in found.items()}
    modules = {
        domain: {"name": domain, "description": ". ".join(i["name"] for i in found.values() if i["domain"] == domain)}
        for domain in sorted(set(domain_of.values()))
    }
    examples: dict[str, list[str]] = defaultdict(list)
    rest: Rows = []
    for row in _shuffled(rows, 1):
        domain = domain_of[row["labels"][0]] if row["labels"] else None
        if domain is not None and len(examples[domain]) < per_module:
            examples[domain].append(row["text"])
        else:
            rest.append(labelled(row, domain_of.__getitem__))
    name = f"clinc{per_module}"
    return name, build(root, name, modules, examples), rest


def conversational(data: Path, root: Path, name: str, table: Table) -> tuple[str, Profile, list[Numbered]]:
    """SGD, BFCL: whole dialogues teach and calibrate, or are held out; no examples but module text."""
    rows, modules = _set(data, name)
    dialogues: dict[str, Rows] = defaultdict(list)
    for row in rows:
        dialogues[row["dialogue"]].append(row)
    order = _shuffled(sorted(dialogues), 1)
    cut = int(len(order) * CONVERSATIONS_THAT_TEACH)
    parts = [[labelled(row, str) for key in keys for row in dialogues[key]] for keys in (order[:cut], order[cut:])]
    folder = build(root, name, modules, {})
    fit_file, test_file = written(root / f"{name}_fit.jsonl", parts[0]), written(root / f"{name}_t.jsonl", parts[1])
    stateless = [[{**row, "history": [], "tool_calls": []} for row in part] for part in parts]
    alone_fit, alone = written(root / f"{name}_af.jsonl", stateless[0]), written(root / f"{name}_a.jsonl", stateless[1])
    table.add_row(f"{name}, message alone", "messages", *measured(folder, alone_fit, alone, "messages", "expected"))
    for over in ("messages", "first-needs"):
        for promise in ("expected", "guaranteed"):
            row_of = measured(folder, fit_file, test_file, over, promise)
            table.add_row(f"{name}, in conversation", over.replace("-", " "), *row_of)
    table.add_section()
    profile = load_profile(folder, len, as_fitted=False)
    return name, profile, _parsed([*parts[0], *parts[1]], profile)


def splits(name: str, profile: Profile, cases: Sequence[Numbered], count: int, table: Table) -> None:
    """Random splits by conversation: how often the held-out part got what was promised."""
    conversations = Conversations(case for _, case in cases)
    groups: dict[tuple[str, ...], list[Numbered]] = defaultdict(list)
    for line, case in cases:
        groups[conversations.name_of(case)].append((line, case))
    made = held = 0
    shares: list[float] = []
    kept: list[float] = []
    for seed in track(range(count), description=name, console=Console(stderr=True), transient=True):
        order = _shuffled(sorted(groups), seed)
        fitting = [case for key in order[: len(order) // 2] for case in groups[key]][:1200]
        testing = [case for key in order[len(order) // 2 :] for case in groups[key]]
        done = fit(profile, fitting, FitOptions(seed=seed), lambda *_: None)
        if done.fitted.calibration.promise != "guaranteed":
            continue
        standing = next(s for s in compare(done.profile, testing).standings if s.router == "lexical")
        share = standing.first_need_coverage or 1.0
        made, held = made + 1, held + (share >= done.fitted.calibration.target_coverage)
        shares.append(share)
        kept.append(standing.kept_tokens)
    if made:
        figures = (f"{held} of {made}", f"{min(shares):.4f}", f"{sum(shares) / made:.4f}", f"{sum(kept) / made:.2f}")
        table.add_row(name, *figures)


def _parsed(rows: Rows, profile: Profile) -> list[Numbered]:
    return list(parse_cases("".join(json.dumps(row) + "\n" for row in rows), "rows", profile))


def _set(data: Path, name: str) -> tuple[Rows, dict[str, dict[str, str]]]:
    lines = (data / f"{name}.jsonl").read_text("utf-8").splitlines()
    modules: dict[str, dict[str, str]] = json.loads((data / f"{name}.modules.json").read_text("utf-8"))
    return [json.loads(line) for line in lines], modules


def _shuffled(items: Sequence[Any], seed: int) -> list[Any]:
    mixed = list(items)
    random.Random(seed).shuffle(mixed)
    return mixed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DATA_FOLDER", nargs="?")
    parser.add_argument("--agent", type=Path, metavar="PROMPT_FOLDER")
    parser.add_argument("--held-out", type=Path, metavar="FILE", help="in the form of PROMPT_FOLDER's messages")
    parser.add_argument(
        "--answers", type=Path, metavar="FILE", help="a routing model's, for the messages in --held-out"
    )
    parser.add_argument("--aims", type=float, nargs="+", default=agent_routing.AIMS, help="of PROMPT_FOLDER")
    parser.add_argument("--shares", type=float, nargs="+", default=agent_routing.SHARES, help="of its labels")
    parser.add_argument("--embedding-model", default=agent_routing.LOCAL_MODEL, metavar="NAME", help="for it")
    parser.add_argument("--api-base", metavar="URL", help="where that is")
    parser.add_argument("--splits", type=int, default=100)
    parser.add_argument("--only-splits", choices=("clinc20", "clinc50", "clinc100", "clinc300"))
    parser.add_argument("--skip-latency", action="store_true")
    arguments = parser.parse_args()
    if arguments.data is None and arguments.agent is None:
        parser.error("name DATA_FOLDER, --agent PROMPT_FOLDER, or both")
    console = Console(width=agent_routing.WIDTH)
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    columns = ("set", "99% of", "promise", "calibrated on", "coverage", "at first needs", "tokens kept", "oracle")
    table = Table(*columns, title="fit and evaluate, held-out messages")
    kept_promises = Table(
        "set",
        "held",
        "lowest coverage",
        "mean coverage",
        "tokens kept",
        title="guaranteed 99% of first needs, random splits",
    )
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        beside = arguments.data.parent / "agent116k" if arguments.data is not None else None
        agent = arguments.agent or (beside if beside is not None and is_agent_folder(beside) else None)
        if agent is not None and not arguments.only_splits:
            wanted = agent_routing.Wanted(
                folder=agent,
                held_out=arguments.held_out,
                answers=arguments.answers,
                aims=arguments.aims,
                shares=arguments.shares,
                embedding_model=arguments.embedding_model,
                api_base=arguments.api_base,
            )
            agent_routing.measure(wanted, root, run)
        if arguments.data is None:
            return
        if arguments.only_splits:
            name, made, rest = intents(arguments.data, root, int(arguments.only_splits.removeprefix("clinc")))
            profile = load_profile(made, len, as_fitted=False)
            splits(name, profile, _parsed(rest, profile), arguments.splits, kept_promises)
            console.print(kept_promises)
            return
        pools = single_turn(arguments.data, root, table)
        for name in ("sgd", "bfcl"):
            pools.append(conversational(arguments.data, root, name, table))
        console.print(table)
        for name, profile, cases in pools:
            splits(name, profile, cases, arguments.splits, kept_promises)
        if arguments.splits:
            console.print(kept_promises)
        if not arguments.skip_latency:
            console.print(scoring_time.measured_table())


if __name__ == "__main__":
    main()
