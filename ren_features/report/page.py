"""The page: facts, plots, values and pictures put into the template, with a policy that lets the browser load nothing else."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import jinja2
from markupsafe import Markup

from ren_features.draft import draft_of
from ren_features.errors import StoreError
from ren_features.measuring.preview import preview_folder
from ren_features.report import svg
from ren_features.report.content import content
from ren_features.report.facts import read_facts
from ren_features.report.pictures import find_picture
from ren_features.report.scans import region_name
from ren_features.store import FeatureStore
from ren_features.store.provenance import package_versions

SCRIPTS = ("values.js", "viewer.js", "gallery.js")


@dataclass(frozen=True)
class Written:
    """Content of a page: all scans, how many were measured, and how many of these have no picture."""

    scans: int
    measured: int
    without_picture: int


def write_report(store: Path, output: Path, *, spec_id: str | None = None, on: date | None = None) -> Written:
    """Write the page of a store.

    Parameters
    ----------
    store, output : Path
        The pictures are those in `<store>.previews`, which `build --previews` made.
    spec_id : str, optional
        By default that of the latest run that stored rows.
    on : date, optional
        Day that the page bears, today by default; all else depends on the store and its pictures alone.

    Raises
    ------
    StoreError
        When the store cannot be read or has no such spec, or the page would replace the store or cannot be written.
    """
    if output.exists() and store.exists() and output.samefile(store):
        raise StoreError(f"{output}: expected a file to write the report to, got the store")
    with FeatureStore(store, external_access=False) as opened:
        facts = read_facts(opened, spec_id)
        pictures = [find_picture(preview_folder(store), scan, facts.structures) for scan in facts.scans]
        data = content(opened, facts, pictures)
    about = {"store": store.name, "on": on or date.today(), "version": package_versions().get("ren-toolkit", "unknown")}
    _write(_template().stream(data | about | _assets()), output)
    missing = sum(picture is None and scan.measured is not None for scan, picture in zip(facts.scans, pictures, strict=True))
    return Written(len(facts.scans), sum(scan.measured is not None for scan in facts.scans), missing)


def _assets() -> dict[str, str]:
    """Style and script of the page, and the policy that allows just these."""
    style, script = _asset("report.css"), "\n".join(('"use strict";', *map(_asset, SCRIPTS)))
    return {"style": Markup(style), "script": Markup(script), "policy": _policy(style, script)}  # noqa: S704 - our own files


def _policy(style: str, script: str) -> str:
    """Nothing from anywhere, but this page's own style, script and pictures."""
    return (
        f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(source: str) -> str:
    return f"sha256-{b64encode(sha256(source.encode()).digest()).decode()}"


def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_asset),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"number": svg.number, "region": region_name}
    return environment.get_template("page.html.jinja")


def _write(stream: jinja2.environment.TemplateStream, output: Path) -> None:
    try:
        stream.enable_buffering(64)
        with draft_of(output) as draft, draft.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(stream)
    except OSError as error:
        raise StoreError(f"report {output}: could not be written: {error.strerror or error}") from error
