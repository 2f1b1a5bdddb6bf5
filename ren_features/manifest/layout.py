"""Rows for a folder whose paths follow a pattern: public data sets as they are unpacked, or a layout of your own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Any

import data_catalog
from ren_features.errors import CohortError, SpecError
from ren_features.manifest.rows import Row, Rows, note, relative
from ren_features.manifest.table_file import TableForm, read_table
from ren_features.regions import LABEL_SCHEMES
from ren_features.yaml_file import mapping, read_yaml, refuse_unknown

FIELD = re.compile(r"\{(patient|scan)(?::([^{}]*))?\}")
"""A part of a name: `{patient}`, or `{scan:coronacases_*}` for names of that form alone."""

KEYS = ("image", "mask", "mask_scheme", "only_with_mask", "table")
TABLE_KEYS = ("file", "patient_id", "separator")


@dataclass(frozen=True)
class Layout:
    """Where a data set keeps its files.

    Parameters
    ----------
    image : str
        Pattern of the images' paths within the folder, `/` between names: `*` is any part of a name, `{patient}` and `{scan}`
        are parts that tell who and what it is. Without one of the two, the other one serves for both. Of two fields in one name
        the first takes as much as it can.
    mask : str, optional
        Path of the mask of an image, with the same fields; `*` must leave one file.
    mask_scheme : str, optional
    only_with_mask : bool
        Whether images without a mask are left out.
    table : mapping, optional
        A table of patients: `file`, its column `patient_id`, and `separator`; its other columns become attributes.
    """

    image: str
    mask: str | None = None
    mask_scheme: str | None = None
    only_with_mask: bool = False
    table: Mapping[str, str] | None = None

    @classmethod
    def named(cls, name: str) -> Layout:
        """The layout of a data set of the catalog, or of a YAML file.

        Raises
        ------
        SpecError
            When there is none of that name, or it is not understood.
        """
        known = {key: dataset.layout for key, dataset in data_catalog.datasets().items() if dataset.layout}
        if name in known:
            return cls.from_dict(known[name], where=f"layout {name}")
        if name in data_catalog.datasets():
            raise SpecError(f"layout: expected one of {', '.join(known)}; {name} needs none, see `ren-features describe {name}`")
        if not name.endswith((".yaml", ".yml")):
            raise SpecError(f"layout: expected one of {', '.join(known)}, or a YAML file; got {name}")
        return cls.from_dict(read_yaml(Path(name), "layout"), where=f"layout {name}")

    @classmethod
    def from_dict(cls, content: Any, *, where: str) -> Layout:
        """Build from the content of such a file."""
        fields = mapping(content, where)
        refuse_unknown(fields, KEYS, where)
        _check_pattern(fields.get("image"), f"{where}: image")
        if not FIELD.search(fields["image"]):
            raise SpecError(f"{where}: expected `image`, a path with {{patient}} or {{scan}} in it, got {fields['image']!r}")
        if "mask" in fields:
            _check_pattern(fields["mask"], f"{where}: mask")
        used, known = ({field[1] for field in FIELD.finditer(fields.get(name, ""))} for name in ("mask", "image"))
        if used - known:
            raise SpecError(f"{where}: mask: expected fields of the image, got {', '.join(sorted(used - known))}")
        if fields.get("mask_scheme") not in (None, *LABEL_SCHEMES):
            raise SpecError(f"{where}: mask_scheme: expected one of {', '.join(LABEL_SCHEMES)}, got {fields['mask_scheme']!r}")
        if fields.get("only_with_mask") not in (None, True, False) or (fields.get("only_with_mask") and "mask" not in fields):
            raise SpecError(f"{where}: only_with_mask: expected true or false, beside a mask, got {fields['only_with_mask']!r}")
        if table := mapping(fields.get("table"), f"{where}: table"):
            refuse_unknown(table, TABLE_KEYS, f"{where}: table")
            if not {"file", "patient_id"} <= set(table) or not all(isinstance(value, str) for value in table.values()):
                raise SpecError(f"{where}: table: expected file and patient_id as text, got {table}")
            if len(table.get("separator", ",")) != 1:
                raise SpecError(f"{where}: table: expected a separator of one character, got {table['separator']!r}")
        return cls(**fields)

    def rows(self, folder: Path, output: Path, *, patient_prefix: bool = False) -> Rows:
        """A row for each image; with a prefix, scan ids are `<patient>_<scan>`.

        Raises
        ------
        CohortError
            When no path has the form of an image.
        """
        if not folder.is_dir():
            raise CohortError(f"{folder}: expected a folder of images, found none")
        found = list(self._rows(folder, output))
        if patient_prefix:
            found = [row | {"scan_id": f"{row['patient_id']}_{row['scan_id']}"} for row in found]
        if not found:
            raise CohortError(f"{folder}: expected images at {self.image}, found none")
        kept = [row for row in found if row["mask"] or not self.only_with_mask]
        if not kept:
            raise CohortError(f"{folder}: expected masks at {self.mask}, found none for {len(found)} images")
        bare = [row["scan_id"] for row in found if not row["mask"]]
        schemeless = [row["scan_id"] for row in kept if row["mask"] and not row["mask_scheme"]]
        notes = note("masks have no mask_scheme, so that `build` needs --regions", schemeless)
        notes += note("images have no mask and are left out" if self.only_with_mask else "scans have no mask", bare)
        if self.table:
            notes += _add_attributes(kept, folder, self.table)
        return Rows(kept, notes)

    def _rows(self, folder: Path, output: Path) -> Iterator[Row]:
        pattern = FIELD.sub(lambda field: field[2] or "*", self.image)
        form = _expression(self.image)
        for path in sorted(folder.glob(pattern)):
            match = form.fullmatch(path.relative_to(folder).as_posix())
            if match is None or any(part.startswith(".") for part in path.relative_to(folder).parts):
                continue
            fields = match.groupdict()
            scan = fields.get("scan") or fields["patient"]
            mask = self._mask_of(folder, fields)
            yield {
                "patient_id": fields.get("patient") or scan,
                "scan_id": scan,
                "image": relative(path, output),
                "mask": relative(mask, output) if mask else "",
                "mask_scheme": (self.mask_scheme or "") if mask else "",
            }

    def _mask_of(self, folder: Path, fields: Mapping[str, str]) -> Path | None:
        if self.mask is None:
            return None
        found = sorted(folder.glob(FIELD.sub(lambda field: escape(fields[field[1]]), self.mask)))
        if len(found) > 1:
            raise CohortError(f"{folder}: expected one mask at {self.mask} for {fields}, got {found[0].name} and {found[1].name}")
        return found[0] if found else None


def _check_pattern(pattern: Any, where: str) -> None:
    """Refuse what is no pattern of a path within a folder."""
    names = pattern.split("/") if isinstance(pattern, str) else [""]
    if strange := re.findall(r"[{}]", FIELD.sub("", "/".join(names))):
        raise SpecError(f"{where}: expected the fields {{patient}} and {{scan}} alone, got {strange[0]} in {pattern!r}")
    if any(name in ("", ".", "..", "**") for name in names):
        raise SpecError(f"{where}: expected a path within the folder, of names with `/` between, got {pattern!r}")


def _expression(pattern: str) -> re.Pattern[str]:
    """Regular expression of a path of that form; a field that stands twice is the same both times."""
    parts, end, seen = [], 0, set[str]()
    for field in FIELD.finditer(pattern):
        name, form = field[1], _plain(field[2] or "*")
        parts += [_plain(pattern[end : field.start()]), f"(?P={name})" if name in seen else f"(?P<{name}>{form})"]
        end = field.end()
        seen.add(name)
    return re.compile("".join([*parts, _plain(pattern[end:])]))


def _plain(text: str) -> str:
    return re.escape(text).replace(r"\*", "[^/]*")


def _add_attributes(rows: list[Row], folder: Path, table: Mapping[str, str]) -> list[str]:
    """Fill in what a table says of each patient; a note when it is not there, or not of all."""
    path, key = folder / table["file"], table["patient_id"]
    if not path.is_file():
        return [f"{path}: not there, so that no attributes are added"]
    read = read_table(path, TableForm(separator=table.get("separator")))
    frame = read.cells
    if key not in frame.columns:
        raise CohortError(f"{path}: expected a column {key}, got {', '.join(frame.columns)}")
    if clash := sorted({name for name in frame.columns if name != key} & set(rows[0])):
        raise CohortError(f"{path}: expected columns beside those of the manifest, got {', '.join(clash)}")
    if repeated := frame.filter(frame[key].is_duplicated())[key].drop_nulls().unique().sort().to_list():
        raise CohortError(f"{path}: expected one row for each {key}, got several for {', '.join(repeated[:5])}")
    known = {line.pop(key): line for line in frame.iter_rows(named=True)}
    nothing = dict.fromkeys((name for name in frame.columns if name != key), "")
    for row in rows:
        row |= {name: value or "" for name, value in known.get(row["patient_id"], nothing).items()}
    absent = [row["scan_id"] for row in rows if row["patient_id"] not in known]
    return [*read.notes, *note(f"scans are of patients who do not stand in {path.name}", absent)]
