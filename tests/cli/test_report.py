"""Ledger files on disk -> what ``report`` and ``ledger compact`` print and write."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from litellm_prompt_router.analysis.report.columns import COLUMNS, SCHEMA
from litellm_prompt_router.analysis.report.control_group import MIN_CONVERSATIONS
from litellm_prompt_router.request.types import Evidence
from tests.analysis.report_records import DAY, START, made, traffic, write
from tests.cli.conftest import Run
from tests.telemetry.records import MODULES, RECORD


def reported(run: Run, *arguments: str | Path) -> dict[str, Any]:
    result = run("report", *arguments, "--json")
    assert result.exit_code == 0, result.output
    figures: dict[str, Any] = json.loads(result.stdout)
    return figures


def without_source(figures: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in figures.items() if name != "read"}


def test_columns_are_the_records() -> None:
    """Every field that a record has is a column, and nothing else."""
    assert set(COLUMNS) == set(RECORD.to_dict())


def test_sums_are_exact_and_shadow_is_apart(tmp_path: Path, run: Run) -> None:
    records = traffic()
    figures = reported(run, write(tmp_path / "l.jsonl", records))
    for side, shadow in (("actual", False), ("would", True)):
        mine = [record for record in records if (record.facts.outcome == "shadow") == shadow]
        assert figures[side]["calls"] == len(mine)
        billed = sum((r.billed_usd for r in mine if r.billed_usd is not None), Decimal(0))
        net = sum((r.estimated_net_saved_usd for r in mine if r.estimated_net_saved_usd is not None), Decimal(0))
        assert Decimal(figures[side]["billed_usd"]) == billed
        assert Decimal(figures[side]["net_saved_usd"]) == net
    assert figures["conversations"] == 100
    assert figures["errors"] == {"RateLimitError": sum(r.status == "failure" for r in records)}
    assert figures["passthroughs"] == {"holdout": 96}
    assert figures["net_interval"]["low"] < float(figures["actual"]["net_saved_usd"]) < figures["net_interval"]["high"]
    charts = next(use for use in figures["modules"] if use["module"] == "tools/charts")
    assert charts["missed"] == charts["evidence"]["tool_call"] > 0
    assert figures["losses"][0]["net_saved_usd"].startswith("-")


def routing(calls: int, usd: str | None) -> dict[str, Any]:
    """What a record says of the questions that its request asked."""
    return {"routing_model_call_count": calls, "routing_model_usd": None if usd is None else Decimal(usd)}


def test_what_routing_models_cost_has_a_line_of_its_own(tmp_path: Path, run: Run) -> None:
    """Net figures bear it already; of calls without one it is told apart."""
    records = [
        made(
            1, estimated_net_saved_usd=Decimal("0.004"), routing_model_call_count=1, routing_model_usd=Decimal("0.001")
        ),
        made(2, estimated_net_saved_usd=Decimal("0.005"), routing_model_call_count=0, routing_model_usd=Decimal(0)),
        made(3, routing_model_call_count=2, routing_model_usd=Decimal("0.002"), estimated_net_saved_reason="why"),
        made(4, routing_model_call_count=1, routing_model_usd_reason="why"),
    ]
    path = write(tmp_path / "l.jsonl", records)
    actual = reported(run, path)["actual"]
    assert Decimal(actual["net_saved_usd"]) == Decimal("0.009")
    assert (actual["routing_model_usd"], actual["routing_beside_net_usd"]) == ("0.003", "0.002")
    assert (actual["routing_model_call_count"], actual["routing_unpriced"]) == (4, 1)
    lines = [" ".join(line.split()) for line in run("report", path).stdout.splitlines()]
    assert "routing model's bill, subtracted in it $0.0010" in lines
    assert "routing model's bill of calls without estimate $0.0020" in lines
    assert "routing model's calls 4" in lines
    assert "calls whose routing bill is unknown 1" in lines
    assert "routing model" not in run("report", write(tmp_path / "m.jsonl", traffic())).stdout


def test_conversations_and_the_control_group_bear_routing_bills(tmp_path: Path, run: Run) -> None:
    """What a treated conversation costs is its calls and the questions that were asked for it."""
    asked = routing(1, "0.25")
    records = [made(1, billed_usd=Decimal("0.5"), **asked), made(2, billed_usd=Decimal("0.25"))]
    figures = reported(run, write(tmp_path / "l.jsonl", records))
    assert Decimal(figures["cost_per_conversation_usd"]) == Decimal("1.00")
    assert Decimal(figures["actual"]["billed_usd"]) == Decimal("0.75")


def test_a_breakdown_adds_up_to_a_line_of_the_totals(tmp_path: Path, run: Run) -> None:
    """Whoever adds the column up finds its sum above it, also where some calls were in shadow mode."""
    path = write(tmp_path / "l.jsonl", traffic())
    printed = run("report", path, "--by", "key").stdout
    said = re.search(r"^billed, shadow mode included +\$([\d.]+)$", printed, re.MULTILINE)
    column = re.findall(r"^[a-z]+-[a-z]+ +\d+ +\$([\d.]+) ", printed, re.MULTILINE)
    assert said is not None
    assert len(column) == 2
    assert Decimal(said[1]) == sum(map(Decimal, column))


@pytest.mark.parametrize("side", [{"profile": None}, {"reason": "unrecognised"}, {"reason": "no_system_prompt"}])
def test_side_calls_are_calls_and_no_conversations(tmp_path: Path, run: Run, side: dict[str, Any]) -> None:
    """Within a conversation they add nothing to it, and those with a name of their own are none."""
    records = [made(1), made(2, **side), made(3, conversation="c-2", **side)]
    figures = reported(run, write(tmp_path / "l.jsonl", records))
    assert (figures["actual"]["calls"], figures["conversations"], figures["loose_calls"]) == (3, 1, 2)


def test_every_kind_of_file_says_the_same(tmp_path: Path, run: Run) -> None:
    """Plain, compressed, compacted to one file and by day; a compressed copy beside its plain file counts once."""
    plain = write(tmp_path / "plain" / "l.jsonl", traffic())
    packed = tmp_path / "packed" / "l.jsonl.gz"
    packed.parent.mkdir()
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    (tmp_path / "packed" / "l.jsonl").write_bytes(plain.read_bytes())
    assert run("ledger", "compact", plain, "-o", tmp_path / "one.parquet").exit_code == 0
    assert run("ledger", "compact", plain, "-o", tmp_path / "days").exit_code == 0
    expected = without_source(reported(run, plain, "--by", "key"))
    for place in (packed.parent, tmp_path / "one.parquet", tmp_path / "days" / "*.parquet", tmp_path / "days"):
        assert without_source(reported(run, place, "--by", "key")) == expected
    assert len(list((tmp_path / "days").iterdir())) == 15


def test_compacting_loses_nothing(tmp_path: Path, run: Run) -> None:
    """Fields of other versions and values that don't fit stay; torn lines are counted and keep their file."""
    records = [json.loads(record.to_json()) for record in traffic(20)]
    records[3] |= {"of_next_year": {"a": [1, 2]}}
    records[4] |= {"query_chars": "forty", "billed_usd": "0.1234567890123456789"}
    good, torn = tmp_path / "good.jsonl", tmp_path / "torn.jsonl"
    good.write_text("".join(json.dumps(record) + "\n" for record in records))
    torn.write_text('{"request_id": "cut sh\n' + json.dumps({**records[0], "request_id": "whole"}) + '\n[]\n{"a": 1}\n')
    result = run("ledger", "compact", good, torn, "-o", tmp_path / "o.parquet", "--delete")
    assert result.exit_code == 0
    assert f"{torn}: 3 damaged lines, not counted" in result.stderr
    assert not good.exists()
    assert torn.exists()
    frame = pl.read_parquet(tmp_path / "o.parquet")
    assert frame.schema == pl.Schema(SCHEMA)
    assert frame.height == 21
    extra = [json.loads(text) if text else {} for text in frame["extra"]]
    assert extra[3] == {"of_next_year": {"a": [1, 2]}}
    assert extra[4] == {"query_chars": "forty", "billed_usd": "0.1234567890123456789"}
    for row, record, more in zip(frame.to_dicts(), records, extra, strict=False):
        row["modules"] = json.loads(row["modules"])
        for name, value in record.items():
            found = more.get(name, row.get(name))
            assert (Decimal(value) if isinstance(found, Decimal) else value) == found, name
    again = run("ledger", "compact", torn, "-o", tmp_path / "o.parquet")
    assert again.exit_code == 1
    assert again.stderr == f"{tmp_path / 'o.parquet'}: is there already; name another file or a folder\n"


def test_records_of_another_version_are_read(tmp_path: Path, run: Run) -> None:
    """Old ones lack fields, new ones have more."""
    old = {"request_id": "a", "finished_seconds": START, "outcome": "rewritten", "billed_usd": "0.5"}
    new = {**made(1).to_dict(), "tomorrow": 1}
    path = tmp_path / "l.jsonl"
    path.write_text(json.dumps(old) + "\n" + json.dumps(new) + "\n")
    figures = reported(run, path)
    assert figures["actual"]["billed_usd"] == "0.5000001"
    assert figures["loose_calls"] == 1


def test_a_report_of_some_days(tmp_path: Path, run: Run) -> None:
    """--since is in, --until isn't; --by day has every day as a row, and so has the CSV."""
    path = write(tmp_path / "l.jsonl", [made(n, at=START // DAY * DAY + n * DAY) for n in range(5)])
    days = ["2026-11-01", "2026-11-02", "2026-11-03", "2026-11-04", "2026-11-05"]
    figures = reported(run, path, "--by", "day", "--since", days[1], "--until", days[3])
    assert [group["name"] for group in figures["groups"]] == days[1:3]
    rows = list(csv.DictReader(io.StringIO(run("report", path, "--csv").stdout)))
    assert [(row["day"], row["billed_usd"]) for row in rows] == [(day, "0.0000001") for day in days]


def test_calls_held_back_are_counted_by_profile(tmp_path: Path, run: Run) -> None:
    """In the terminal and on the page. Neither shadow that a policy chose nor our own faults are among them."""
    shadow: dict[str, Any] = {"mode": "shadow", "outcome": "shadow", "arm": None}
    held = {**shadow, "reason": "unreviewed", "policy": "unreviewed"}
    records = [
        *(made(number, profile="draft", **held) for number in range(12)),
        made(50, profile="other", **held),
        made(60, profile="draft", **{**held, "outcome": "passthrough", "reason": "error"}),
        *(made(number, policy="settings", **shadow) for number in range(100, 105)),
        made(200),
    ]
    ledger, page = write(tmp_path / "l.jsonl", records), tmp_path / "page.html"
    figures = reported(run, ledger)
    assert figures["held_back"] == {"draft": 12, "other": 1}
    assert figures["control"] is None
    lines = run("report", ledger, "--html", page).stdout.splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("held back, not reviewed: profile"))
    assert lines[at + 1].split() == ["draft", "12"]
    assert "<h2>Calls held back because nobody reviewed their profile</h2>" in page.read_text()


def test_a_report_says_why_nothing_was_saved(tmp_path: Path, run: Run) -> None:
    """Calls by outcome, reasons in words, what to do about the most frequent one; core modules are one line."""
    core = tuple(MODULES[0]._replace(module=f"core/{number}") for number in range(9))
    whole = tuple(MODULES[1]._replace(module=f"tools/{number}", kind="fallback", late=False) for number in range(3))
    passed: dict[str, Any] = {"outcome": "passthrough", "arm": None}
    records = [
        *(made(number, **passed, mode="shadow", reason="unrecognised", modules=()) for number in range(9)),
        *(made(number, **passed, reason="not_worth_it", modules=core) for number in range(20, 32)),
        *(made(number, **passed, reason="client_oauth", modules=()) for number in range(40, 60)),
        *(made(number, outcome="shadow", mode="shadow", arm=None, modules=core) for number in range(60, 64)),
        made(70, modules=(*core, *whole, MODULES[1])),
        made(71, modules=(*core, MODULES[1])),
    ]
    ledger, file = write(tmp_path / "l.jsonl", records), tmp_path / "page.html"
    shown = run("report", ledger, "--html", file).stdout
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert {
        "calls 47",
        "rewritten 2",
        "decided in shadow mode, sent as they came 4",
        "passed through as they came 41",
        "always sent: 9 modules",
        "sent because no fit says who needs them: 3 modules",
        "tools/charts 2 11.1% 2 0 trigger 2",
        "unrecognised 9 another prompt than the known ones",
    } <= set(lines)
    assert not any(line.startswith(("core/", "tools/0")) for line in lines)
    assert (
        "\n\nmost often not_worth_it, 12 calls: rewriting would not have paid\n"
        "to do: label messages and fit, so that more is left out: `prompt-router label TRAFFIC.jsonl`, then "
    ) in shown
    assert "`prompt-router tune LEDGER` says whether the traffic shows a gain all the same" in " ".join(shown.split())
    page = file.read_text()
    assert "47 calls (2 rewritten, 4 decided in shadow mode, sent as they came, 41 passed through" in page
    assert "12 calls: rewriting would not have paid (<em>not_worth_it</em>). To do: label messages" in page
    assert "<code>prompt-router label TRAFFIC.jsonl</code>, then" in page
    assert "<p>Always sent: 9 modules.</p>" in page
    assert "core/3" not in page


def test_misses_are_told_by_who_chose(tmp_path: Path, run: Run) -> None:
    """A conversation counts once; what a trigger brought late is no miss, nor is a tool whose module was there."""
    core, late = MODULES
    by_model = Evidence(module="tools/web", kind="model", detail="needed", late=False)
    there = late._replace(kind="tool_call", detail="plot", late=False)
    lacked = late._replace(kind="tool_call", detail="plot")
    records = [
        made(1, conversation="c-1", modules=(core, by_model)),
        made(2, conversation="c-1", modules=(core, by_model._replace(kind="inherited"), lacked)),
        made(3, conversation="c-1", modules=(core, by_model._replace(kind="inherited"), lacked)),
        made(4, conversation="c-2", modules=(core, by_model, there)),
        made(5, conversation="c-3", modules=(core, late)),
        made(6, conversation="c-4", modules=(core, lacked)),
        made(7, conversation="c-5", modules=(core, there)),
        made(8, conversation="c-6", modules=(), outcome="passthrough", reason="holdout"),
    ]
    ledger = write(tmp_path / "l.jsonl", records)
    assert reported(run, ledger)["missed_needs"] == [
        {"is_by_model": True, "conversations": 2, "missed": 1},
        {"is_by_model": False, "conversations": 3, "missed": 1},
    ]
    shown = run("report", ledger).stdout
    assert "a left-out module's tool called, chosen by a routing model  50.0% of 2 conversations" in shown
    assert re.search(r"a left-out module's tool called, chosen otherwise +33.3% of 3 conversations", shown)


def test_what_is_assumed_is_kept_apart(tmp_path: Path, run: Run) -> None:
    """Estimates by rules that no provider publishes are named beside the whole, of shadow records as well."""
    modelled, assumed = "modelled: cache model 2, this process's calls", "assumed: cache model 2, this process's calls"
    records = [
        made(1, estimated_net_saved_usd=Decimal("0.5"), estimated_net_saved_method=modelled),
        made(2, estimated_net_saved_usd=Decimal("-0.25"), estimated_net_saved_method=assumed),
        made(3, estimated_net_saved_usd=Decimal("2"), estimated_net_saved_method=assumed),
        made(4, estimated_net_saved_usd=Decimal("4"), estimated_net_saved_method=assumed, outcome="shadow"),
        made(5, estimated_net_saved_usd=None, estimated_net_saved_method=None),
    ]
    ledger = write(tmp_path / "l.jsonl", records)
    figures = reported(run, ledger)
    assert [figures["actual"][name] for name in ("net_saved_usd", "assumed_net_usd", "assumed_calls")] == [
        "2.25",
        "1.75",
        2,
    ]
    assert (figures["would"]["assumed_net_usd"], figures["would"]["assumed_calls"]) == ("4", 1)
    shown = run("report", ledger).stdout
    assert re.search(r"estimated net saved +\$2\.25\n +of which assumed\*\* +\$1\.75, 2 calls", shown)
    assert re.search(r"would have saved, estimated +\$4\.00\n +of which assumed\*\* +\$4\.00, 1 call\b", shown)
    assert "** these hosts don't publish how they cache, so cautious rules stand in for theirs" in shown
    page = tmp_path / "page.html"
    run("report", ledger, "--html", page)
    assert page.read_text().count("Of which assumed") == 3
    plain = run("report", write(tmp_path / "m.jsonl", records[:1])).stdout
    assert "assumed" not in plain


def test_what_tuning_was_in_force_is_told_with_its_change(tmp_path: Path, run: Run) -> None:
    """A line for each tuning that conversations went by, in the order in which they came up; none without any."""
    saved: dict[str, Any] = {"estimated_net_saved_usd": Decimal("0.5")}
    records = [
        made(1, conversation="c-1", tuning="own", estimated_net_saved_usd=None),
        made(2, conversation="c-2", tuning="t-0123456789", at=START + 60, **saved),
        made(3, conversation="c-2", tuning="t-0123456789", at=START + 120, **saved),
        made(4, conversation="c-1", tuning="own", at=START + 180, estimated_net_saved_usd=None),
        made(5, conversation="c-3", tuning=None),
    ]
    ledger = write(tmp_path / "l.jsonl", records)
    first, second = reported(run, ledger)["tunings"]
    assert (first["tuning"], first["calls"], first["conversations"], first["net_saved_usd"]) == ("own", 2, 1, None)
    assert (second["tuning"], second["since_seconds"], second["until_seconds"]) == (
        "t-0123456789",
        START + 60,
        START + 120,
    )
    assert Decimal(second["net_saved_usd"]) == 1
    shown = run("report", ledger).stdout
    assert re.search(r"workbench +t-0123456789 +2026-\d\d-\d\d.* 1 +2 +\$1\.0000", shown), shown
    html = tmp_path / "report.html"
    run("report", ledger, "--html", str(html))
    assert "<td>t-0123456789</td>" in html.read_text("utf-8")
    none = write(tmp_path / "none.jsonl", [made(1)])
    assert reported(run, none)["tunings"] == []
    assert "tuning" not in run("report", none).stdout


def test_a_table_for_people(tmp_path: Path, run: Run) -> None:
    shown = run("report", write(tmp_path / "l.jsonl", traffic()), "--by", "key").stdout
    for text in ("cost per conversation", "estimated net saved", "shadow: would have saved, estimated", "tools/charts",
                 "support-bot", "not yet: 16 of 200 conversations", "* removed tokens"):  # fmt: skip
        assert text in shown, text


def test_the_control_group_needs_conversations(tmp_path: Path, run: Run) -> None:
    """With enough of them the saving is measured, per conversation and per call."""
    rng = random.Random(5)
    records = []
    for number in range(3 * MIN_CONVERSATIONS):
        is_held = number % 2 == 0
        cost = Decimal(round(rng.lognormvariate(0, 0.3) * (1_000_000 if is_held else 600_000))) / 1_000_000
        arm: dict[str, Any] = {"arm": "holdout", "outcome": "passthrough"} if is_held else {"arm": "treatment"}
        records.append(made(number, conversation=f"c-{number}", billed_usd=cost, **arm))
    control = reported(run, write(tmp_path / "l.jsonl", records))["control"]
    for saving in (control["per_conversation"], control["per_call"]):
        assert saving["interval"]["low"] < 0.4 / 0.6 * saving["treated_usd"] < saving["interval"]["high"]


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["nowhere.jsonl", "*.ndjson"], 1, "nowhere.jsonl: no such file; check the path\n*.ndjson: no such file"),
        ([], 2, "say which files: PATHS... or --spend-logs FILE"),
        (["empty.jsonl"], 1, "no records to report: 0 lines in 1 file; a proxy's ledger is logs/prompt_router.jsonl"),
        (["full.jsonl", "--since", "2100-01-01"], 1, "6 lines in 1 file; see --since, --until and --mode\n"),
        (
            ["captured.jsonl", "--since", "7d"],
            1,
            "captured.jsonl: captured traffic, not a ledger: `prompt-router onboard` or `simulate` reads it\n"
            "no records to report: 2 lines in 1 file; a proxy's ledger is logs/prompt_router.jsonl",
        ),
        (["full.jsonl", "--since", "soon"], 1, "--since: 'soon' is no time; write 2026-11-01"),
        (["bad.parquet"], 1, "bad.parquet: can't be read as Parquet; is the file whole?"),
    ],
    ids=["missing", "none", "empty", "too late", "captured", "no time", "no Parquet"],
)
def test_mistakes_are_told(run: Run, arguments: list[str], code: int, text: str) -> None:
    Path("bad.parquet").write_bytes(b"PAR1 not")
    Path("captured.jsonl").write_text(2 * '{"ts": 1, "key": "k", "conversation": "c", "request": {"messages": []}}\n')
    result = run("report", *arguments) if arguments != ["empty.jsonl"] else _empty(run)
    if "full.jsonl" in arguments:
        write(Path("full.jsonl"), traffic(6))
        result = run("report", *arguments)
    assert result.exit_code == code
    assert text in result.output


def _empty(run: Run) -> Any:
    Path("empty.jsonl").touch()
    return run("report", "empty.jsonl")


@pytest.mark.parametrize("kind", ["csv", "json", "jsonl"])
def test_spend_logs_are_read(tmp_path: Path, run: Run, kind: str) -> None:
    """LiteLLM's bill and tokens, our summary; rows without one are calls all the same."""
    summary = {"request_id": "ours", "outcome": "rewritten", "mode": "rewrite", "profile": "workbench",
               "conversation": "c-1", "modules": ["core", "tools/git"], "original_chars": 1000, "prompt_chars": 400,
               "list_price_saved_usd": "0.01"}  # fmt: skip
    usage = {"prompt_tokens": 100, "completion_tokens": 7, "cache_read_input_tokens": 60}
    metadata = {"user_api_key_alias": "alpha", "spend_logs_metadata": {"prompt_router": summary}, "usage_object": usage}
    base = {"startTime": "2026-11-01T08:00:00", "endTime": "2026-11-01T08:00:02", "model": "claude-sonnet-4-5",
            "api_key": "ab" * 32, "prompt_tokens": 100, "completion_tokens": 7, "status": "success"}  # fmt: skip
    rows: list[dict[str, Any]] = [
        {**base, "request_id": "1", "spend": 1.5e-05, "metadata": metadata},
        {**base, "request_id": "2", "spend": 0.25, "metadata": {"user_api_key_alias": "beta"}},
    ]
    path = tmp_path / f"export.{kind}"
    if kind == "csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows({**row, "metadata": json.dumps(row["metadata"])} for row in rows)
    else:
        lines = [json.dumps(row) for row in rows]
        path.write_text(json.dumps(rows) if kind == "json" else "\n".join(lines))
    figures = reported(run, "--spend-logs", path, "--by", "key")
    assert figures["actual"]["billed_usd"] == "0.250015"
    assert figures["actual"]["cache_read_tokens"] == 60
    assert figures["actual"]["uncached_input_tokens"] == 140
    assert [group["name"] for group in figures["groups"]] == ["beta", "alpha"]
    assert figures["passthroughs"] == {"not seen by the router": 1}
    assert [use["module"] for use in figures["modules"]] == ["core", "tools/git"]


def test_what_the_agent_named_is_missed_and_what_its_words_score_for_is_not(tmp_path: Path, run: Run) -> None:
    """A tool that it names shows that it lacked the section; a score is a guess that may be needless."""
    named, scored = (
        Evidence("tools/charts", "assistant", "plot_chart", late=True),
        Evidence("tools/images", "assistant", "0.31", late=True),
    )
    records = [made(1, modules=(named, scored))]
    figures = reported(run, write(tmp_path / "l.jsonl", records))
    missed = {use["module"]: (use["late"], use["missed"]) for use in figures["modules"]}
    assert missed == {"tools/charts": (1, 1), "tools/images": (1, 0)}


ODD = ("1e300", "-1e300", "1e19", "-1", "1e17", "253402300800", "18446744073709551616", "0.5", "-0.0", "NaN", "1e999")


@pytest.mark.parametrize("odd", ODD)
def test_odd_numbers_are_no_traceback(tmp_path: Path, run: Run, odd: str) -> None:
    """In any field of a record: it counts or is told as damaged, and the others count."""
    lines = [record.to_json() for record in traffic()[:6]]
    first = json.loads(lines[0])
    numbers = [name for name, value in first.items() if type(value) in (int, float)]
    assert "finished_seconds" in numbers
    file = tmp_path / "l.jsonl"
    each_alone = [json.dumps(first | {name: "@"}).replace('"@"', odd) for name in numbers]
    for odd_lines in (each_alone, each_alone[numbers.index("finished_seconds") :][:1]):
        file.write_text("\n".join([*odd_lines, *lines[1:]]) + "\n")
        for options in (("--json",), ("--csv", "--by", "day"), ()):
            result = run("report", file, *options)
            assert result.exit_code == 0, (options, result.output, result.exception)


def test_a_record_of_no_date_is_damaged(tmp_path: Path, run: Run) -> None:
    lines = [record.to_json() for record in traffic()[:6]]
    far = json.dumps(json.loads(lines[0]) | {"finished_seconds": 1e300})
    file = tmp_path / "l.jsonl"
    file.write_text("\n".join([far, *lines]) + "\n")
    assert reported(run, file)["read"]["damaged"] == 1
