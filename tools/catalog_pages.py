"""Pages of the documentation that MkDocs makes from the data catalog."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

import data_catalog
from ren_features.quality import RULES, Limits, Rule


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages; MkDocs calls this."""
    for name, lines in (("store.md", store_page()), ("quality.md", quality_page())):
        files.append(File.generated(config, name, content="\n".join(lines)))
    return files


def store_page() -> Iterator[str]:
    """Lines of the page about tables and columns."""
    yield "# Tables of the store"
    yield "\nThe columns of the 107 features are explained by `ren-features describe NAME`.\n"
    for name, table in data_catalog.tables().items():
        key = f" Key: {', '.join(f'`{column}`' for column in table.key)}." if table.key else ""
        yield f"## {name}\n\n{table.kind.capitalize()}: {_cell(table.holds)}.{key}\n"
        yield "| column | content |\n|---|---|"
        yield from (f"| `{column}` | {_cell(meaning)} |" for column, meaning in table.columns.items())
        yield ""


def quality_page() -> Iterator[str]:
    """Lines of the page about quality rules."""
    yield "# Quality rules"
    yield "\nA value outside a rule's limits becomes a finding in the table `quality`. Rules exclude nothing:"
    yield "`lobe_features.quality_ok` is false where a warning or an error concerns the region or the whole scan."
    yield "`*` stands for every other region. The rules are data (`data_catalog/quality_rules.yaml`), and"
    yield "`ren-features describe lobe_volume` explains one on the command line.\n"
    for name, rule in RULES.items():
        yield f"## {name}\n"
        yield f"* value{f' ({rule.unit})' if rule.unit else ''}: {_cell(rule.meaning)}"
        yield f"* severity: {rule.severity}\n* limits: {_limits(rule, rule.limits)}"
        if rule.error_limits:
            yield f"* an error outside: {_limits(rule, rule.error_limits)}"
        yield f"* source: {_cell(rule.source)}\n"


def _limits(rule: Rule, limits: Mapping[str, Limits]) -> str:
    return "; ".join(f"`{region}` {rule.in_words(bounds)}" for region, bounds in limits.items())


def _cell(text: object) -> str:
    """Text without line breaks, and with the marks of tables escaped."""
    return " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;")
