"""The page as a file: what it says, that it is safe, and that it is always the same."""

import base64
import hashlib
import html
import json
import re
from datetime import date

import numpy as np
import pytest

from ren_features import ExtractionSpec, FeatureStore, RegionSet, build
from ren_features.errors import StoreError
from ren_features.report import write_report
from ren_features.store.connection import connect_to_write

DAY = date(2026, 1, 2)


@pytest.fixture(scope="module")
def text(cohort, tmp_path_factory):
    """The page of the cohort."""
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_report(cohort.store, path, on=DAY)
    return path.read_text(encoding="utf-8")


def page_of(store, tmp_path, **options):
    write_report(store, tmp_path / "report.html", on=DAY, **options)
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def number(text, name):
    return int(re.search(rf"<b>(\d+)</b> {name}</a>", text)[1])


def test_numbers_are_those_of_the_store(cohort, text):
    with FeatureStore(cohort.store) as store:
        patients, flagged = store.sql("""
            SELECT (SELECT count(*) FROM patients),
                   (SELECT count(DISTINCT scan_id) FROM quality WHERE severity <> 'info')
        """).row(0)
    found = {name: number(text, name) for name in ("patients", "scans", "measured", "failed", "flagged", "without picture")}
    assert found == {
        "patients": patients,
        "scans": 201,
        "measured": 200,
        "failed": 1,
        "flagged": flagged,
        "without picture": 2,
    }


def test_what_was_written_is_returned(cohort, tmp_path):
    written = write_report(cohort.store, tmp_path / "r.html")
    assert (written.scans, written.measured, written.without_picture) == (201, 200, 1)


def test_hostile_text_is_never_markup(cohort, text):
    assert cohort.hostile not in text
    assert "<script>alert" not in text
    assert "<img src=x>" not in text
    assert "no such <i>" not in text
    assert html.escape(cohort.hostile, quote=False).replace('"', "&#34;").replace("'", "&#39;") in text
    page = json.loads(re.search(r'id="page">(.*?)</script>', text, re.DOTALL)[1])
    assert cohort.hostile in page["scans"]


def test_nothing_is_loaded_from_anywhere(text):
    assert "default-src &#39;none&#39;" in text
    assert not re.search(r"""(?:src|href|url)\s*[=(]\s*["']?\s*(?:https?:)?//""", text)


def test_the_policy_allows_just_this_style_and_this_script(text):
    for tag in ("style", "script"):
        (source,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
        assert f"{tag}-src &#39;sha256-{digest}&#39;" in text


def test_all_but_the_date_depends_on_the_store_alone(cohort, text, tmp_path):
    assert page_of(cohort.store, tmp_path) == text
    write_report(cohort.store, tmp_path / "later.html", on=date(2027, 1, 1))
    assert (tmp_path / "later.html").read_text(encoding="utf-8").replace("2027-01-01", "2026-01-02") == text


def test_values_are_those_of_the_store_to_seven_digits(cohort, text):
    page = json.loads(re.search(r'id="page">(.*?)</script>', text, re.DOTALL)[1])
    block = base64.b64decode(re.search(r'data-region="RML">(.*?)</script>', text)[1])
    values = np.frombuffer(block, "<f4").reshape(len(page["features"]), len(page["scans"]))
    with FeatureStore(cohort.store) as store:
        stored = dict(store.sql("SELECT scan_id, original_firstorder_Mean FROM radiomics WHERE region = 'RML'").rows())
    (feature,) = (place for place, (name, *_) in enumerate(page["features"]) if name == "original_firstorder_Mean")
    for scan_id, value in zip(page["scans"], values[feature], strict=True):
        assert value == np.float32(stored.get(scan_id, np.nan)) or (np.isnan(value) and scan_id not in stored)


def test_every_chart_has_a_name_and_its_axes_units(text):
    charts = re.findall(r'<svg viewBox="[^"]*" role="img" aria-label="([^"]+)"', text)
    assert len(charts) == 4 + 7
    assert all(unit in text for unit in ("volume (l)", "CT number (HU)", "% of voxels", "scans of a patient"))


def test_a_spec_that_left_families_out_shows_what_there_is(write_manifest, tmp_path):
    build(write_manifest({}), tmp_path / "s.duckdb", spec=ExtractionSpec(spacing_mm=None, features=("shape",)), jobs=0)
    text = page_of(tmp_path / "s.duckdb", tmp_path)
    assert "original_shape_Sphericity" in text
    assert "original_glcm" not in text


def test_regions_of_ones_own_have_columns_and_colours(write_manifest, tmp_path):
    regions = RegionSet.from_dict({"name": "own", "regions": {"UPPER & <more>": ["LUL", "RUL"], "ONE": [4]}})
    spec = ExtractionSpec(spacing_mm=None, features=("shape",), regions=regions)
    build(write_manifest({}), tmp_path / "s.duckdb", spec=spec, jobs=0)
    text = page_of(tmp_path / "s.duckdb", tmp_path)
    assert '<button type="button">UPPER &amp; &lt;more&gt;</button>' in text
    assert "label_4</li>" in text


def test_a_store_without_any_measured_scan_says_why(write_manifest, tmp_path):
    build(write_manifest({"image": "gone.nii"}), tmp_path / "s.duckdb", spec=ExtractionSpec(spacing_mm=None), jobs=0)
    text = page_of(tmp_path / "s.duckdb", tmp_path)
    assert (number(text, "measured"), number(text, "failed")) == (0, 1)
    assert "gone.nii" in text


def test_a_scan_that_was_never_built_is_shown_as_such(write_manifest, tmp_path):
    build(write_manifest({}, {"scan_id": "s2"}), tmp_path / "s.duckdb", spec=ExtractionSpec(spacing_mm=None), jobs=0)
    with connect_to_write(tmp_path / "s.duckdb") as connection:
        for table in ("inputs", "radiomics", "quality", "histograms"):
            connection.execute(f"DELETE FROM {table} WHERE scan_id = 's2'")
    text = page_of(tmp_path / "s.duckdb", tmp_path)
    assert (number(text, "scans"), number(text, "measured"), number(text, "failed")) == (2, 1, 0)
    assert text.count(">not built</span>") == 2  # in place of the picture, and among the findings


def test_another_spec_is_shown_when_asked_for(write_manifest, tmp_path):
    old, new = (ExtractionSpec(spacing_mm=None, features=(family,)) for family in ("shape", "ngtdm"))
    for spec in (old, new):
        build(write_manifest({}), tmp_path / "s.duckdb", spec=spec, jobs=0)
    assert new.spec_id in page_of(tmp_path / "s.duckdb", tmp_path)
    assert old.spec_id in page_of(tmp_path / "s.duckdb", tmp_path, spec_id=old.spec_id)
    with pytest.raises(StoreError, match=f"expected spec nix, found {new.spec_id}, {old.spec_id}"):
        page_of(tmp_path / "s.duckdb", tmp_path, spec_id="nix")


def test_a_store_without_a_build_is_refused(tmp_path):
    connect_to_write(tmp_path / "s.duckdb").close()
    with pytest.raises(StoreError, match="found no build at all"):
        page_of(tmp_path / "s.duckdb", tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_a_page_that_cannot_be_written_leaves_nothing(cohort, tmp_path):
    with pytest.raises(StoreError, match="could not be written"):
        write_report(cohort.store, tmp_path / "no folder" / "r.html")
    assert not list(tmp_path.iterdir())


def test_the_command_writes_and_tells_of_missing_pictures(ren, cohort, tmp_path):
    told = ren("report", "--store", cohort.store, "-o", tmp_path / "r.html").stdout
    assert "201 scans, 199 with a picture" in told
    assert f"1 measured scan has no picture: `ren-features build ... --store {cohort.store} --previews` makes it" in told
    assert (tmp_path / "r.html").stat().st_size > 1e6


def test_the_command_does_not_replace_the_store(ren, cohort):
    before = cohort.store.read_bytes()
    refused = ren("report", "--store", cohort.store, "-o", cohort.store, expect=2)
    assert "expected a file to write the report to, got the store" in refused.stderr
    assert cohort.store.read_bytes() == before


def test_help_of_the_command_shows_an_example(ren):
    assert "Example: ren-features report" in " ".join(ren("report", "--help").stdout.split())
