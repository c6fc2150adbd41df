"""The report's charts, drawn by Vega-Lite into SVG that needs neither scripts nor a network.

Colours are the page's CSS variables, so that one drawing serves light, dark and print. Each chart is drawn twice,
for wide and for narrow screens: text keeps its size on a phone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import vl_convert

from litellm_prompt_router.analysis.report.figures import Figures, Group
from litellm_prompt_router.documents.shown_text import MAX_NAME_CHARS, one_line

WIDE, NARROW = 816, 334
"""Pixels of a drawing with its labels: what the page's column and a phone of 390 pixels have room for."""
MOST_BARS = 12
VEGA_LITE = "5.20"
LABEL_CHARS = {WIDE: 40, NARROW: 18}


class Chart(NamedTuple):
    """One chart in both sizes, with what a screen reader says."""

    title: str
    note: str
    wide: str
    narrow: str


def charts_of(figures: Figures) -> dict[str, Chart]:
    """The charts that these figures have enough for, by name."""
    found: dict[str, Chart] = {}
    timeline = figures.timeline
    if len(timeline) > 1:
        step = "day" if figures.steps == "day" else "hour"
        billed = [{"at": group.name, "usd": _float(group.billed_usd)} for group in timeline]
        note = f"US dollars{', shadow mode included' if figures.would else ''}. {step.capitalize()}s are in UTC."
        found["billed"] = _chart(f"Billed per {step}", note, lambda width: _bars_in_time(billed, width, signed=False))
        saved = [{"at": group.name, "usd": _net(group)} for group in timeline]
        if any(row["usd"] is not None for row in saved):
            note = "US dollars. Below the line: rewriting cost more than it saved."
            found["saved"] = _chart(
                f"Estimated net saved per {step}", note, lambda width: _bars_in_time(saved, width, signed=True)
            )
    named: list[dict[str, Any]] = [
        {"name": one_line(group.name, MAX_NAME_CHARS), "usd": _net(group)}
        for group in figures.groups
        if _net(group) is not None
    ]
    if figures.by not in (None, "day", "hour") and len(named) > 1:
        rows = sorted(named, key=lambda row: -abs(row["usd"] or 0))[:MOST_BARS]
        note = "US dollars." + (f" The {len(rows)} greatest of {len(named)}." if len(rows) < len(named) else "")
        found["groups"] = _chart(f"Estimated net saved by {figures.by}", note, lambda width: _named_bars(rows, width))
    chosen = figures.chosen_modules
    if len(chosen) > 1:
        used = [{"name": use.module, "share": use.share} for use in chosen[: 2 * MOST_BARS]]
        found["modules"] = _chart(
            "How often each module was sent", "Share of the routed calls.", lambda width: _shares(used, width)
        )
    return found


def _chart(title: str, note: str, draw: Any) -> Chart:
    return Chart(title=title, note=note, wide=_svg(draw(WIDE)), narrow=_svg(draw(NARROW)))


def _svg(spec: Mapping[str, Any]) -> str:
    svg: str = vl_convert.vegalite_to_svg(
        {**spec, "autosize": _AUTOSIZE, "config": _CONFIG, "background": None}, vl_version=VEGA_LITE
    )
    return svg.replace("<svg ", '<svg aria-hidden="true" ', 1)


def _bars_in_time(rows: Sequence[Mapping[str, Any]], width: int, *, signed: bool) -> dict[str, Any]:
    """A bar for each step; of its labels only as many as there is room for."""
    room = 10 if width == WIDE else 4
    every = max(1, -(-len(rows) // room))
    labelled = [row["at"] for row in rows[::every]]
    color: Any = {"value": "var(--series)"}
    if signed:
        color = {"condition": {"test": "datum.usd < 0", "value": "var(--loss)"}, "value": "var(--gain)"}
    return {
        "width": width,
        "height": 200,
        "data": {"values": list(rows)},
        "mark": {"type": "bar", "cornerRadiusEnd": 2},
        "encoding": {
            "x": {
                "field": "at",
                "type": "ordinal",
                "scale": {"paddingInner": 0.25},
                "axis": {
                    "title": None,
                    "values": labelled,
                    "labelAngle": 0,
                    "labelAlign": "center",
                    "labelExpr": "length(datum.value) > 10 ? substring(datum.value, 5) : substring(datum.value, 5, 10)",
                },
            },
            "y": {"field": "usd", "type": "quantitative", "axis": _money_axis([row["usd"] for row in rows])},
            "color": color,
        },
    }


def _named_bars(rows: Sequence[Mapping[str, Any]], width: int) -> dict[str, Any]:
    return {
        "width": width,
        "height": {"step": 30},
        "data": {"values": list(rows)},
        "mark": {"type": "bar", "cornerRadiusEnd": 2, "height": 16},
        "encoding": {
            "y": {"field": "name", "type": "nominal", "sort": None, "axis": _names(width)},
            "x": {
                "field": "usd",
                "type": "quantitative",
                "axis": {**_money_axis([row["usd"] for row in rows]), "grid": True, "labelFlush": False},
            },
            "color": {"condition": {"test": "datum.usd < 0", "value": "var(--loss)"}, "value": "var(--gain)"},
        },
    }


def _shares(rows: Sequence[Mapping[str, Any]], width: int) -> dict[str, Any]:
    return {
        "width": width,
        "height": {"step": 24},
        "data": {"values": list(rows)},
        "mark": {"type": "bar", "cornerRadiusEnd": 2, "height": 13, "color": "var(--series)"},
        "encoding": {
            "y": {"field": "name", "type": "nominal", "sort": None, "axis": _names(width)},
            "x": {
                "field": "share",
                "type": "quantitative",
                "scale": {"domain": [0, 1]},
                "axis": {"title": None, "format": ".0%", "tickCount": 4, "grid": True},
            },
        },
    }


def _names(width: int) -> dict[str, Any]:
    chars = LABEL_CHARS[width]
    shortened = f"substring(datum.value, 0, {chars - 1}) + '…'"
    return {
        "title": None,
        "labelExpr": f"length(datum.value) > {chars} ? {shortened} : datum.value",
        "labelLimit": 300,
        "ticks": False,
        "domain": False,
        "grid": False,
    }


def _money_axis(values: Sequence[float | None]) -> dict[str, Any]:
    largest = max((abs(value) for value in values if value is not None), default=0.0)
    pattern = "$,.0f" if largest >= 10 else "$,.2f" if largest >= 0.1 else "$,.4f"
    return {"title": None, "format": pattern, "tickCount": 4}


def _net(group: Group) -> float | None:
    return _float(group.actual.net_saved_usd) if group.actual else None


def _float(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


_AUTOSIZE = {"type": "fit-x", "contains": "padding"}
_CONFIG = {
    "font": "Liberation Sans, Arial, Helvetica, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--muted)",
        "labelFontSize": 12,
        "labelPadding": 6,
        "gridColor": "var(--rule)",
        "tickColor": "var(--rule)",
        "domainColor": "var(--rule)",
        "domain": False,
        "ticks": False,
    },
    "axisX": {"grid": False},
}
