"""How YAML is written in profile.yaml."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import yaml

WIDTH = 110


def dump_yaml(document: Mapping[str, Any]) -> str:
    """A document or some of its sections."""
    dumped: str = yaml.dump(dict(document), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH)
    return dumped


def one_line(value: str, *, quoted: bool = False) -> str:
    """The value as YAML of one line."""
    style = '"' if quoted else None
    dumped: str = yaml.dump([value], Dumper=_Dumper, default_style=style, allow_unicode=True, width=math.inf)
    return dumped.removeprefix("- ").rstrip("\n")


class _Dumper(yaml.SafeDumper):
    """Indents lists, quotes what isn't printable, and never writes an alias, which ``parse_yaml`` refuses."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: object) -> bool:
        return True


def _string(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=None if value.isprintable() else '"')


_Dumper.add_representer(str, _string)
