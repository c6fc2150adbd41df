"""The page of `onboard` in a real browser."""

from __future__ import annotations

import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from litellm_prompt_router.cache_model import Prices
from litellm_prompt_router.files.traffic import RecordedCall
from litellm_prompt_router.onboarding.next_steps import RunPaths
from litellm_prompt_router.onboarding.taken_traffic import TakenTraffic
from litellm_prompt_router.onboarding.verdict_page import html_of
from litellm_prompt_router.onboarding.whole_page import page_of
from tests.analysis.test_page import CHROMIUM, FLAGS
from tests.onboarding.findings_made import AGENT, costing

SHOTS = os.environ.get("PROMPT_ROUTER_TEST_SHOTS")
PATHS = RunPaths(
    source="/a/long/path/to/the/traffic of/" + "x" * 60 + ".jsonl",
    traffic="/a/long/path/to/the/traffic of/" + "x" * 60 + ".jsonl",
    profiles="/srv/agents/modules",
    profiles_absolute="/srv/agents/modules",
)
PRICES = Prices(
    input_usd_per_mtok=Decimal(3),
    cache_read_usd_per_mtok=Decimal("0.3"),
    cache_write_5m_usd_per_mtok=Decimal("3.75"),
    cache_write_1h_usd_per_mtok=Decimal(6),
    output_usd_per_mtok=Decimal(15),
)
CALL = RecordedCall(line=1, at_seconds=0, key="k", conversation="c", request={"model": "gpt-4.1"})
WIDE = """[...document.querySelectorAll('p, h1, h2, h3, li, pre, figcaption, .n, .bar, .scroll')]
  .filter(e => e.offsetParent && e.scrollWidth > e.clientWidth + 1).map(e => e.textContent)"""
CONTRAST = """(() => {
  const light = color => { const [r, g, b] = color.match(/\\d+/g).slice(0, 3).map(v => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4 }); return 0.2126 * r + 0.7152 * g + 0.0722 * b };
  const page = 0.93;
  return [...document.querySelectorAll('p, h1, h2, h3, li, th, td, pre')].map(e => (page + 0.05) / (light(getComputedStyle(e).color) + 0.05)).filter(ratio => ratio < 4.5).length
})()"""  # noqa: E501
"""Texts of less contrast with a light background than WCAG AA asks."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("Chromium isn't installed (Debian's package `chromium`)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = costing(trial="7.5")
    page = page_of(
        [found],
        [AGENT],
        PATHS,
        model="claude-sonnet-4-5",
        prices=PRICES,
        taken=TakenTraffic(calls=(CALL,) * 200, unreplayed=(), problems=(), skipped_lines=3, text=""),
    )
    file = tmp_path_factory.mktemp("page") / "page.html"
    file.write_text(html_of(page), "utf-8")
    return file


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_fits_and_asks_for_nothing(width: int, page_file: Path, browser: Browser) -> None:
    """No request but its own, no script, no text wider than its place, dark text on light whatever the system says."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme="dark")
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(page_file.as_uri())
    assert [url for url in asked if not url.startswith("data:")] == [page_file.as_uri()]
    assert page.locator("script").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(WIDE) == []
    assert page.evaluate(CONTRAST) == 0
    assert page.get_by_text("<script>alert(1)</script>").first.is_visible()
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"onboard-{width}.png", full_page=True)
    context.close()


def test_a_bar_is_as_wide_as_its_shares(page_file: Path, browser: Browser) -> None:
    """And says them to who can't see it."""
    page = browser.new_page()
    page.goto(page_file.as_uri())
    bar = page.locator(".bar").first
    whole = bar.bounding_box()
    part = bar.locator("span").first.bounding_box()
    assert whole is not None
    assert part is not None
    assert part["width"] / whole["width"] == pytest.approx(0.8, abs=0.01)
    assert bar.get_attribute("aria-label") == (
        "system text: 80%, 4,000,000 tokens; tools: 10%, 500,000 tokens; history: 10%, 500,000 tokens"
    )
    page.close()


def test_the_verdict_is_what_is_read_first(page_file: Path, browser: Browser) -> None:
    """Ahead of every other text of the agent, in its own words."""
    page = browser.new_page()
    page.goto(page_file.as_uri())
    verdict = page.locator(".verdict p").first
    assert verdict.inner_text().startswith("Worth it: about 25% of the input bill, 75.00 USD a month")
    first = page.locator("section h3").first.bounding_box()
    box = verdict.bounding_box()
    assert box is not None
    assert first is not None
    assert box["y"] < first["y"]
    page.close()
