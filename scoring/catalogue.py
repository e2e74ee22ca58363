"""The catalogue of features, generated from their declarations."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from scoring.features import FEATURES
from scoring.features.feature import Feature, Group

#: Every canonical feature by name. A feature has name, group, type, meaning, source and missing (its rule).
CATALOGUE: Final[Mapping[str, Feature]] = MappingProxyType({feature.name: feature for feature in FEATURES})


def render_catalogue() -> str:
    """The catalogue as Markdown, one table a group, for `leadswitch features` and the documentation."""
    lines = [f"# Features ({len(CATALOGUE)})", ""]
    for group in Group:
        lines += [f"## {group.value.capitalize()}", "", "| name | type | meaning | source | missing |", "|---|---|---|---|---|"]
        lines += [
            f"| `{feature.name}` | {feature.type} | {feature.meaning} | {feature.source} | {feature.missing} |"
            for feature in FEATURES
            if feature.group is group
        ]
        lines.append("")
    return "\n".join(lines)
