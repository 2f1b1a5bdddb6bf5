"""`FeatureStore`: a store as analysts read it, in SQL and as matrices."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

import data_catalog
from ren_features.digest import short_digest
from ren_features.errors import StoreError
from ren_features.scan import Scan
from ren_features.store.connection import Connection, connect_to_read, connect_to_write, transaction
from ren_features.store.provenance import Run
from ren_features.store.runs import begin_run, recorded
from ren_features.store.schema import QUALITY_OK

PATIENCE_S = 600.0
"""Time to wait for another process that writes the store."""


class Matrix(NamedTuple):
    """Features of one region with the labels of one task, ready for scikit-learn.

    Attributes
    ----------
    X : ndarray of float, shape (scan, feature)
    y : ndarray of int, shape (scan,)
    scan_ids, patient_ids : ndarray of str, shape (scan,)
        A split must keep all scans of a patient together.
    feature_names : tuple of str
    """

    X: NDArray[np.float64]
    y: NDArray[np.int64]
    scan_ids: NDArray[np.str_]
    patient_ids: NDArray[np.str_]
    feature_names: tuple[str, ...]

    @property
    def digest(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of features, scans and patients."""
        names = ("\n".join(map(str, column)) for column in (self.scan_ids, self.patient_ids, self.feature_names))
        return short_digest(np.ascontiguousarray(self.X).tobytes(), *names)

    def select_rows(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Matrix:
        """Some of the rows: those where a mask of shape (scan,) is True, or those at given places."""
        return Matrix(self.X[rows], self.y[rows], self.scan_ids[rows], self.patient_ids[rows], self.feature_names)

    def with_labels(self, y: NDArray[np.int64]) -> Matrix:
        """The same features with other labels."""
        return self._replace(y=y)

    def select_features(self, names: Iterable[str]) -> Matrix:
        """The same rows with some of the features, in the order of `names`."""
        chosen = tuple(names)
        return self._replace(X=self.X[:, [self.feature_names.index(name) for name in chosen]], feature_names=chosen)


def _is_whole(kind: pl.DataType) -> bool:
    return isinstance(kind, pl.Decimal) and kind.scale == 0


class FeatureStore:
    """A store, open.

    Parameters
    ----------
    path : str or Path
    read_only : bool
        False makes this process the one writer, and makes the file when it is absent.
    external_access : bool
        Whether SQL may read other files; only for reading.

    Raises
    ------
    StoreError
        When the file cannot be opened as a store.

    Examples
    --------
    >>> with FeatureStore("ren.duckdb") as store:
    ...     means = store.sql("SELECT region, avg(original_firstorder_Mean) AS hu FROM lobe_features GROUP BY region")
    >>> means.shape
    (7, 2)
    """

    def __init__(self, path: str | Path, *, read_only: bool = True, external_access: bool = True) -> None:
        self.path, self.read_only, self.external_access = Path(path), read_only, external_access
        self.connection = self._connect()

    def _connect(self) -> Connection:
        if self.read_only:
            return connect_to_read(self.path, external_access=self.external_access)
        return connect_to_write(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self.connection.close()

    @contextmanager
    def released(self) -> Iterator[None]:
        """Leave the file to other processes for a while; it is read again afterwards. The one writer keeps it."""
        if not self.read_only:
            yield
            return
        self.close()
        try:
            yield
        finally:
            self.connection = self._connect()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection that writes, for the time of one transaction; waits for another process to end its own.

        A store that is open for reading must be `released`.
        """
        if not self.read_only:
            yield self.connection
            return
        with closing(connect_to_write(self.path, patience_s=PATIENCE_S)) as connection:
            yield connection

    @contextmanager
    def computing(self, spec_id: str) -> Iterator[str]:
        """A run that computes from the rows of a spec, with how it ended; gives its run_id."""
        run = Run.begin()
        with self.writing() as connection, transaction(connection):
            begin_run(connection, run, spec_id)
        with recorded(self.writing, run.run_id):
            yield run.run_id

    def sql(self, query: str, parameters: Sequence[Any] | None = None) -> pl.DataFrame:
        """Answer of a query.

        Raises
        ------
        StoreError
            With DuckDB's own words.

        Examples
        --------
        >>> with FeatureStore("ren.duckdb") as store:
        ...     store.sql("SELECT count(*) AS rows FROM lobe_features").item()
        420
        """
        try:
            relation = self.connection.sql(query, params=list(parameters) if parameters else None)
            frame: pl.DataFrame = pl.DataFrame() if relation is None else relation.pl()
        except duckdb.IOException as error:  # of a file, which DuckDB's words may not name
            raise StoreError(f"store {self.path}: {error}") from error
        except duckdb.Error as error:
            raise StoreError(str(error)) from error
        except (pa.ArrowException, pl.exceptions.PolarsError, NotImplementedError) as error:
            raise StoreError(
                f"the answer has a column of a type without a counterpart in polars: cast it to VARCHAR ({error})"
            ) from error
        # Sums of whole numbers are DuckDB's HUGEINT, which arrives as a decimal.
        return frame.with_columns(
            pl.col(name).cast(pl.Int64, strict=False) for name, kind in frame.schema.items() if _is_whole(kind)
        )

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables, views left out."""
        return tuple(name for name, table in data_catalog.tables().items() if table.kind == "table")

    def scans(self) -> tuple[Scan, ...]:
        """All scans, by id, as a manifest lists them: their volumes can be read again from the store alone.

        Examples
        --------
        >>> with FeatureStore("ren.duckdb") as store:
        ...     store.scans()[0].scan_id
        'p000_0'
        """
        rows = self.sql(
            """SELECT patient_id, scan_id, image, mask, mask_scheme, scan_date, attributes::VARCHAR AS attributes, series
            FROM scans ORDER BY scan_id"""
        )
        return tuple(
            Scan(patient, scan, Path(image), Path(mask) if mask else None, scheme, day, json.loads(attributes), series)
            for patient, scan, image, mask, scheme, day, attributes, series in rows.iter_rows()
        )

    def matrix(self, *, region: str, task: str, spec_id: str | None = None, sound_only: bool = False) -> Matrix:
        """Features and labels of every scan that has both, ordered by scan.

        Parameters
        ----------
        region : str
        task : str
            As in the table `labels`.
        spec_id : str, optional
            By default that of the latest run that stored rows.
        sound_only : bool
            Without rows that a warning or an error of quality concerns, or that no rules judged (`quality_ok`); of scans
            that hold one image, one is kept.

        Raises
        ------
        StoreError
            When no scan has both, saying which regions and tasks there are.

        Examples
        --------
        >>> with FeatureStore("ren.duckdb") as store:
        ...     matrix = store.matrix(region="LLL", task="ill")
        >>> matrix.X.shape
        (60, 107)
        """
        spec = spec_id or self.latest_spec
        frame = self.sql(
            f"""SELECT radiomics.*, labels.value AS label
            FROM radiomics LEFT JOIN inputs USING (scan_id, spec_id) JOIN labels USING (scan_id)
            WHERE region = ? AND task = ? AND spec_id = ? AND (NOT ? OR {QUALITY_OK}) ORDER BY scan_id""",
            [region, task, spec, sound_only],
        )
        if frame.is_empty():
            regions, tasks = (
                self.sql(f"SELECT DISTINCT {column} FROM {table} ORDER BY 1").to_series().to_list()
                for column, table in (("region", "radiomics"), ("task", "labels"))
            )
            sound = " sound" if sound_only else ""
            raise StoreError(
                f"store {self.path}: expected regions {regions} and tasks {tasks}, got no{sound} row of region {region}, "
                f"task {task}, spec {spec}"
            )
        names = tuple(name for name in data_catalog.features() if frame[name].null_count() < len(frame))
        return Matrix(
            frame.select(names).to_numpy().astype(np.float64),
            frame["label"].to_numpy().astype(np.int64),
            frame["scan_id"].to_numpy().astype(np.str_),
            frame["patient_id"].to_numpy().astype(np.str_),
            names,
        )

    @property
    def latest_spec(self) -> str:
        """The settings of the latest run that stored rows.

        Raises
        ------
        StoreError
            When no run has.

        Examples
        --------
        >>> with FeatureStore("ren.duckdb") as store:
        ...     len(store.latest_spec)
        16
        """
        found = self.sql("FROM latest_spec")
        if found.is_empty():
            raise StoreError(f"store {self.path}: expected radiomics of at least one scan, got none")
        return str(found.item())

    def export(self, folder: str | Path) -> list[Path]:
        """Write every table as a Parquet file; returns their paths.

        Raises
        ------
        StoreError
            When the folder cannot be written.
        """
        folder = Path(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            paths = [folder / f"{name}.parquet" for name in self.tables]
            for path in paths:
                self.sql(f"FROM {path.stem}").write_parquet(path)
        except OSError as error:
            raise StoreError(f"export to {folder}: expected a folder that can be written, got {error}") from error
        return paths
