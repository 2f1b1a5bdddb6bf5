"""Tables as users have them: what is read and said, and what is refused."""

import zipfile
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from ren_features.errors import CohortError
from ren_features.manifest.parser import read_cohort
from ren_features.manifest.table_file import TableForm, read_table

HEAD, ROW = "scan_id,age,city", "007,63.5,Köln"


@pytest.fixture
def write(tmp_path):
    def write(content, encoding="utf-8", name="t.csv"):
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return tmp_path / name

    return write


@pytest.mark.parametrize(
    ("content", "encoding", "said"),
    [
        (f"{HEAD}\n{ROW}\n", "utf-8", ""),
        (f"{HEAD}\n{ROW}\n", "utf-8-sig", ""),
        (f"{HEAD}\r\n{ROW}\r\n", "utf-16", "the text is read as utf-16"),
        (f"{HEAD}\n{ROW}\n".replace(",", "\t"), "utf-8", "cells are parted by tabs"),
        (f"{HEAD}\n{ROW}\n".replace(",", ";").replace("63.5", "63,5"), "utf-8", "decimal commas are read as points in age"),
        (f"sep=;\n{HEAD}\n{ROW}\n".replace(",", ";"), "utf-8", "as the line sep=; says"),
        (f",{HEAD}\n0,{ROW}\n", "utf-8", "the column without a name (an index of rows) is left out"),
        (f"Unnamed: 0,{HEAD}\n0,{ROW}\n", "utf-8", "the column Unnamed: 0 (an index of rows) is left out"),
        (f"{HEAD},,\n{ROW},,\n,,,,\n", "utf-8", "2 empty columns without a name are left out"),
        (f"{HEAD}\n{ROW}\n,,\n", "utf-8", "1 empty rows are left out"),
        (f"{HEAD}\n{ROW},,\n", "utf-8", ""),
    ],
)
def test_a_table_of_any_usual_form_is_read_and_what_is_not_plain_is_said(write, content, encoding, said):
    table = read_table(write(content, encoding))
    assert table.cells.to_dicts() == [{"scan_id": "007", "age": "63.5", "city": "Köln"}]
    assert said in "\n".join(table.notes)
    assert bool(table.notes) == bool(said)


def test_a_line_break_within_quotes_belongs_to_the_cell(write):
    assert read_table(write('scan_id,note\na,"one\ntwo, three"\n')).cells["note"].to_list() == ["one\ntwo, three"]


def test_commas_within_semicolons_are_decimal_only_where_the_whole_column_is_of_numbers(write):
    table = read_table(write("scan_id;where;fev\n1,5;left, upper;1,5\n2;right;NA\n")).cells
    assert table.to_dict(as_series=False) == {"scan_id": ["1,5", "2"], "where": ["left, upper", "right"], "fev": ["1.5", "NA"]}


def test_another_encoding_is_named_with_its_row_and_read_when_it_is_given(write):
    path = write(f"{HEAD}\n{ROW}\n", "latin-1")
    with pytest.raises(
        CohortError, match=r"row 1 \(line 2\): expected utf-8 text, got byte 0xF6, .*'CSV UTF-8'.*--encoding latin-1"
    ):
        read_table(path)
    table = read_table(path, TableForm(encoding="latin-1"))
    assert table.cells["city"].to_list() == ["Köln"]
    assert "read as latin-1" in table.notes[0]
    with pytest.raises(CohortError, match="encoding: expected a name such as latin-1"):
        TableForm(encoding="klingon")
    with pytest.raises(CohortError, match="date format: expected day, month and year"):
        TableForm(date_format="%Y")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04abc", "got a ZIP archive or an Excel workbook .* save it as 'CSV UTF-8'"),
        (b"\xd0\xcf\x11\xe0abc", "old form"),
        (b"\x1f\x8babc", "gzip"),
        (b"PAR1abc", "Parquet"),
        (b"a\x00,\x00b\x00", "--encoding utf-16-le"),
        (b"", "got none"),
        (b"scan_id,age\na,1,2\nb\n", "row 1: expected 2 cells as there are columns, got 3 .*\nt.*row 2: .* got 1"),
        (b"scan_id,,age\na,x,1\n", "got none for column 2, which has values"),
        (b"scan_id;age,sex\na;1,2\n", "expected one separator"),
        (b'scan_id,age\n"a,1\n', "could not read it"),
        (b"scan_id,age,Age\na,1,2\n", "expected each column once, got Age, age"),
    ],
)
def test_what_is_no_table_is_refused_as_what_it_is(write, tmp_path, monkeypatch, content, message):
    write(content)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CohortError, match=f"(?s){message}"):
        read_table(Path("t.csv"))


SHEET = """<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>
<row r="1">{head}</row><row r="2">{row}</row></sheetData></worksheet>"""


@pytest.fixture
def workbook(tmp_path):
    """A workbook with a text, a number and a truth value in one sheet of two, in the fewest parts that Excel reads."""
    main = "http://schemas.openxmlformats.org"
    relation = f'Type="{main}/officeDocument/2006/relationships'
    package = f'<Relationships xmlns="{main}/package/2006/relationships">'
    head = "".join(
        f'<c r="{at}1" t="inlineStr"><is><t>{name}</t></is></c>'
        for at, name in zip("ABC", ("scan_id", "age", "label_ILD"), strict=True)
    )
    row = '<c r="A2" t="inlineStr"><is><t>007</t></is></c><c r="B2"><v>63.5</v></c><c r="C2" t="b"><v>1</v></c>'
    sheets = "".join(
        f'<sheet name="{name}" sheetId="{number}" r:id="rId{number}"/>' for number, name in ((1, "scans"), (2, "more"))
    )
    relations = "".join(f'<Relationship Id="rId{n}" {relation}/worksheet" Target="worksheets/sheet{n}.xml"/>' for n in (1, 2))
    parts = {
        "_rels/.rels": f'{package}<Relationship Id="rId1" {relation}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}/spreadsheetml/2006/main" xmlns:r="{main}/officeDocument/2006/relationships">'
        f"<sheets>{sheets}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f"{package}{relations}</Relationships>",
        "xl/worksheets/sheet1.xml": SHEET.format(head=head, row=row),
        "xl/worksheets/sheet2.xml": SHEET.format(head=head, row=row),
    }
    with zipfile.ZipFile(tmp_path / "t.xlsx", "w") as file:
        for name, content in parts.items():
            file.writestr(name, f'<?xml version="1.0" encoding="UTF-8"?>{content}')
    return tmp_path / "t.xlsx"


def test_the_first_sheet_of_a_workbook_is_read(workbook):
    table = read_table(workbook)
    assert table.cells.to_dicts() == [{"scan_id": "007", "age": "63.5", "label_ILD": "1"}]
    assert table.notes == ("t.xlsx: sheet scans of the workbook is read, not more",)


def test_a_broken_workbook_is_refused(tmp_path):
    (tmp_path / "t.xlsx").write_bytes(b"PK\x03\x04abc")
    with pytest.raises(CohortError, match=r"t\.xlsx: expected a table .* could not read it"):
        read_table(tmp_path / "t.xlsx")


@pytest.mark.parametrize("word", ["NA", "NaN", "n/a", "NULL", "None", "#N/A", "."])
def test_words_for_unknown_values_are_unknown_in_labels_and_dates_and_stay_elsewhere(write_manifest, word):
    cohort = read_cohort(write_manifest({"patient_id": "NA", "label_a": word, "scan_date": word, "drugs": word}))
    (scan,) = cohort.scans
    assert (scan.patient_id, scan.scan_date, cohort.labels, scan.attributes) == ("NA", None, {"a": {}}, {"drugs": word})
    assert any("label_a: 1 cells" in note for note in cohort.notes)


@pytest.mark.parametrize(
    ("text", "date_format"),
    [
        ("2020-04-03", None),
        ("2020-04-03 00:00:00", None),
        ("2020-04-03T00:00:00", None),
        ("03.04.2020", "%d.%m.%Y"),
        ("04/03/2020", "%m/%d/%Y"),
        ("3 Apr 2020", "%d %b %Y"),
    ],
)
def test_dates_are_read_in_iso_form_or_as_the_format_says(write_manifest, text, date_format):
    (scan,) = read_cohort(write_manifest({"scan_date": text}), TableForm(date_format=date_format)).scans
    assert scan.scan_date == date(2020, 4, 3)


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ({"scan_date": "03.04.2020"}, "--date-format '%d.%m.%Y'"),
        ({"scan_date": "43924"}, r"a serial number of Excel \(perhaps 2020-04-03\)"),
        ({"label_a": "yes"}, '--label-values "yes=1 no=0"'),
        ({"label_a": "False"}, '--label-values "true=1 false=0"'),
    ],
)
def test_what_could_mean_two_things_is_refused_with_the_way_to_say_which(write_manifest, cell, message):
    with pytest.raises(CohortError, match=message):
        read_cohort(write_manifest(cell))


def test_a_path_with_backslashes_is_read_where_it_is_no_name(write_manifest, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "ct.nii").touch()
    (tmp_path / "odd\\ct.nii").touch()
    cohort = read_cohort(write_manifest({"image": "sub\\ct.nii"}, {"scan_id": "s2", "image": "odd\\ct.nii"}))
    assert all(scan.image.exists() for scan in cohort.scans)
    assert cohort.notes == ("cohort.csv: column image: 1 paths have \\ between their names and are read with /",)


def test_a_pandas_index_in_parquet_is_left_out(tmp_path):
    pl.DataFrame({"scan_id": ["a"], "__index_level_0__": [0]}).write_parquet(tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet").cells.columns == ["scan_id"]


def test_the_commands_say_what_they_took(ren, write_manifest, tmp_path):
    path = write_manifest({"label_a": "NA", "scan_date": "03.04.2020"})
    done = ren("validate", path, "--date-format", "%d.%m.%Y")
    assert "note: cohort.csv: column label_a: 1 cells say NA and are taken as unknown" in done.stderr
    done = ren("build", path, "--store", tmp_path / "s.duckdb", "--date-format", "%d.%m.%Y")
    assert "read as %d.%m.%Y" in done.stderr
