"""The page in a real browser, as finance opens it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.analysis.report_records import made, traffic, write
from tests.cli.conftest import Run, run
from tests.telemetry.records import MODULES

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync")  # fmt: skip
CHARTS = 4
SHOTS = os.environ.get("PROMPT_ROUTER_TEST_SHOTS")
"""A folder for screenshots to look at."""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium isn't installed (Debian's package `chromium`)")
__all__ = ["run"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def written(folder: Path, run: Run) -> Path:
    use = MODULES[1]._replace(module="tools/spreadsheets_and_workbooks_of_every_kind_and_age")
    long: dict[str, Any] = {
        "key": "code-assistant-of-the-production-cluster",
        "model": "bedrock/us.anthropic.claude-opus-5-20260801-v1:0",
    }
    odd = [
        made(9_998, modules=(use,), estimated_net_saved_usd=Decimal("123.45"), billed_usd=Decimal("1234.5"), **long),
        made(9_999, key="<script>alert(1)</script>"),
    ]
    ledger = write(folder / "l.jsonl", [*traffic(), *odd])
    page = folder / "report.html"
    result = run("report", ledger, "--html", page)
    assert result.exit_code == 0, result.output
    return page


def test_the_page_asks_for_nothing_and_fits(tmp_path: Path, run: Run, browser: Browser) -> None:
    """No console line, no request but the file's own, no script; charts are seen and nothing is cut off."""
    page_file = written(tmp_path, run)
    colors = set()
    for width in (1280, 390):
        for scheme in ("light", "dark"):
            context = browser.new_context(
                viewport={"width": width, "height": 900}, color_scheme="dark" if scheme == "dark" else "light"
            )
            page = context.new_page()
            said: list[str] = []
            asked: list[str] = []
            _listen(page, said, asked)
            page.goto(page_file.as_uri())
            assert said == []
            assert [url for url in asked if not url.startswith("data:")] == [page_file.as_uri()]
            assert page.locator("script").count() == 0
            assert page.evaluate("document.documentElement.scrollWidth") == width
            charts = page.locator("figure svg:visible")
            assert charts.count() == CHARTS
            for index in range(CHARTS):
                box = charts.nth(index).bounding_box()
                assert box is not None
                assert box["height"] > 60
                assert 0 < box["x"] < box["x"] + box["width"] <= width
                assert charts.nth(index).locator("path[aria-roledescription=bar]").count() > 1
            assert page.evaluate(_CUT) == []
            assert page.get_by_text("<script>alert(1)</script>").first.is_visible()
            colors.add((scheme, page.evaluate("getComputedStyle(document.body).backgroundColor")))
            if SHOTS:
                page.screenshot(path=Path(SHOTS) / f"{width}-{scheme}.png", full_page=True)
            context.close()
    assert len(colors) == 2


def _listen(page: Page, said: list[str], asked: list[str]) -> None:
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))


_CUT = """[...document.querySelectorAll('.tile dd, .tile p, .tile dt, figcaption, h1, h2, p, .n, .scroll')]
  .filter(e => e.offsetParent && e.scrollWidth > e.clientWidth + 1).map(e => e.textContent)"""
"""Texts that are wider than their place."""


def test_what_adds_up_is_shown_added_up(tmp_path: Path, run: Run, browser: Browser) -> None:
    """The bill at the top is the table's last line and the sum of the chart: shadow mode was paid for, too."""
    page = browser.new_page()
    page.goto(written(tmp_path, run).as_uri())
    billed = page.locator(".tile dd").first.inner_text()
    cells = page.locator("tfoot td").all_inner_texts()
    assert cells[1] == billed
    rows = page.locator("tbody", has=page.get_by_text("support-bot")).first.locator("tr td:nth-child(3)")
    shown = [Decimal(text.strip("$").replace(",", "")) for text in rows.all_inner_texts()]
    assert abs(sum(shown) - Decimal(billed.strip("$").replace(",", ""))) <= Decimal("0.005") * (len(shown) + 1)
    page.close()


def test_the_page_prints_in_ink_on_paper(tmp_path: Path, run: Run, browser: Browser) -> None:
    """Also when the reader's screen is dark, and with the wide charts."""
    context = browser.new_context(viewport={"width": 390, "height": 900}, color_scheme="dark")
    page = context.new_page()
    page.goto(written(tmp_path, run).as_uri())
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator(".wide svg:visible").count() == CHARTS
    assert page.locator(".narrow svg:visible").count() == 0
    assert page.pdf().startswith(b"%PDF")
    context.close()
