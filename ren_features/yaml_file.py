"""Reading YAML settings strictly: nothing twice, nothing of another kind than expected."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from ren_features.errors import SpecError


class _EachKeyOnce(yaml.SafeLoader):
    """Refuses a key that stands twice, of which YAML readers silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        repeated = sorted({str(key) for key in keys if keys.count(key) > 1})
        if repeated:
            raise yaml.YAMLError(f"keys that stand twice: {', '.join(repeated)}")
        return super().construct_mapping(node, deep=deep)


def read_yaml(path: Path, what: str) -> Any:
    """Content of a YAML file.

    Raises
    ------
    SpecError
        When it cannot be read, is no YAML, or has a key twice.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), _EachKeyOnce)  # noqa: S506 - a SafeLoader
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SpecError(f"{what} {path}: expected a readable YAML file, got {error}") from error


def mapping(value: Any, what: str) -> dict[str, Any]:
    """A mapping with keys as text; nothing at all is an empty one.

    Raises
    ------
    SpecError
        For anything else.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise SpecError(f"{what}: expected keys with values, got {value!r}")
    return {str(key): each for key, each in value.items()}


def names(value: Any, what: str) -> list[str]:
    """A list of names.

    Raises
    ------
    SpecError
        For anything else.
    """
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise SpecError(f"{what}: expected a list of names, got {value!r}")
    return value


def refuse_unknown(keys: Iterable[str], known: Iterable[str], what: str) -> None:
    """Name the keys that would not be honoured.

    Raises
    ------
    SpecError
    """
    unknown = sorted(set(keys) - set(known))
    if unknown:
        raise SpecError(f"{what}: keys that would not be honoured: {', '.join(unknown)}; expected {', '.join(sorted(known))}")
