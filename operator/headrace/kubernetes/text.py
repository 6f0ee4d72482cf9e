"""Objects as YAML that a person reads: keys as they were given, long texts as blocks, one document after another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

Manifest = dict[str, Any]


class _Dumper(yaml.CSafeDumper):  # libyaml: a pipeline is some 100 kB, a second in plain Python
    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the same shape
        """A label set that stands in two places is written twice: anchors are hard to read and to edit."""
        return True


def _text(dumper: yaml.CSafeDumper, text: str) -> yaml.ScalarNode:
    # A block cannot hold a line that ends in spaces; YAML would fall back to one long quoted line anyway.
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def to_yaml(objects: Iterable[Mapping[str, Any]]) -> str:
    """The objects in their order, with `---` between them."""
    return "---\n".join(
        yaml.dump(dict(item), Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True) for item in objects
    )
