"""A simulation as one HTML file: tables and bars drawn as SVG inside it. It loads nothing from anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, StrictUndefined

WIDTH, LABELS, BAR, GAP = 720, 190, 12, 12

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{{ found.policy }}: a simulation</title>
<style>
:root { color-scheme: light dark; --was: #8a94a6; --now: #2563eb; --line: #8884; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 2rem; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line); text-align: right; }
th:first-child, td:first-child, .text { text-align: left; }
svg { width: 100%; height: auto; }
svg text { font-size: 12px; fill: currentColor; }
.was { fill: var(--was); } .now { fill: var(--now); }
.key span { display: inline-block; width: .8em; height: .8em; margin: 0 .3em 0 1em; }
</style>
</head>
<body>
<h1>{{ found.policy }}</h1>
<p>Version {{ found.policy_version }}, run over the {{ found.leads }} leads decided since
{{ found.since[:16] | replace("T", " ") }} UTC.
<strong>{{ found.moved }} of {{ found.leads }} would have gone elsewhere.</strong></p>
<table>
<tr><th></th><th>as it was</th><th>by this policy</th></tr>
{% for name, was, now in figures %}<tr><td>{{ name }}</td><td>{{ was }}</td><td>{{ now }}</td></tr>
{% endfor %}</table>
<p class="key"><span style="background:var(--was)"></span>as it was<span style="background:var(--now)"></span>by this policy</p>
{% for chart in charts %}<h2>{{ chart.title }}</h2>
<svg viewBox="0 0 {{ width }} {{ chart.height }}" role="img" aria-label="{{ chart.title }}">
{% for bar in chart.bars %}<text x="{{ labels - 8 }}" y="{{ bar.y + 15 }}" text-anchor="end">{{ bar.name }}</text>
<rect class="was" x="{{ labels }}" y="{{ bar.y }}" width="{{ bar.was_width }}" height="{{ thick }}" rx="2"/>
<rect class="now" x="{{ labels }}" y="{{ bar.y + thick }}" width="{{ bar.now_width }}" height="{{ thick }}" rx="2"/>
<text x="{{ labels + bar.was_width + 6 }}" y="{{ bar.y + 10 }}">{{ bar.was }}</text>
<text x="{{ labels + bar.now_width + 6 }}" y="{{ bar.y + 22 }}">{{ bar.now }}</text>
{% endfor %}</svg>
{% endfor %}<h2>Who would have got what</h2>
{% if found.moves %}<table>
<tr><th>lead</th><th class="text">decided</th><th>tier</th><th class="text">was</th><th class="text">by this policy</th>
<th class="text">because</th></tr>
{% for move in found.moves %}<tr><td>{{ move.lead_id }}</td><td class="text">{{ move.at[:16] | replace("T", " ") }}</td>
<td>{{ move.tier | upper }}</td><td class="text">{{ move.was or "nobody" }}</td><td class="text">{{ move.now or "nobody" }}</td>
<td class="text">{{ move.because }}</td></tr>
{% endfor %}</table>
{% if found.moved > found.moves | length %}<p>The first {{ found.moves | length }} of {{ found.moved }}.</p>{% endif %}
{% else %}<p>Every lead would have gone to the same rep.</p>{% endif %}
</body>
</html>
"""


def page(found: Mapping[str, Any]) -> str:
    """The page of `simulation.as_json`'s result. Whatever stands in a name stays text."""
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(_PAGE)
    return template.render(
        found=found,
        figures=figures(found),
        charts=[
            _chart("Leads by rep", found["reps"], "leads"),
            _chart("Leads of tier A by rep", found["reps"], "tier_a"),
            _chart("Expected conversions by rep", found["reps"], "expected_conversions"),
        ],
        width=WIDTH,
        labels=LABELS,
        thick=BAR,
    )


def figures(found: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """(what, as it was, by the policy): the figures above the charts, and under the table on a terminal."""
    waits = found["waits_minutes"]
    rows = [
        ("leads nobody was found for", found["waiting"]),
        ("furthest from what was due, in leads", found["unfairness"]),
        ("expected conversions", found["expected_conversions"]),
        ("expected value", found["expected_value"]),
        ("leads that waited for somebody", {when: waits[when]["waited"] for when in ("was", "now")}),
        ("median wait, minutes", {when: waits[when]["median"] for when in ("was", "now")}),
        ("longest wait, minutes", {when: waits[when]["longest"] for when in ("was", "now")}),
    ]
    return [(name, both["was"], both["now"]) for name, both in rows]


def _chart(title: str, reps: Sequence[Mapping[str, Any]], name: str) -> dict[str, Any]:
    """One pair of bars a rep."""
    most = max((value for rep in reps for value in rep[name].values()), default=0) or 1
    room = WIDTH - LABELS - 60
    step = 2 * BAR + GAP
    bars = [
        {
            "name": str(rep["name"])[:26],
            "y": place * step,
            **{when: f"{rep[name][when]:g}" for when in ("was", "now")},
            **{f"{when}_width": round(room * rep[name][when] / most, 1) for when in ("was", "now")},
        }
        for place, rep in enumerate(reps)
    ]
    return {"title": title, "height": max(step, len(bars) * step), "bars": bars}
