"""Writing a data frame for people or for programs."""

from __future__ import annotations

import io
import json

import polars as pl

from ren_features.errors import StoreError


def frame_bytes(frame: pl.DataFrame, form: str) -> bytes:
    """Render as table, csv, json or parquet.

    Raises
    ------
    StoreError
        For values that polars has no text for, such as an infinite date.
    """
    try:
        return _rendered(frame, form)
    except pl.exceptions.PanicException as error:
        raise StoreError(f"the answer has a value without a counterpart in polars: cast it to VARCHAR ({error})") from error


def _rendered(frame: pl.DataFrame, form: str) -> bytes:
    if form == "table":
        return (frame_text(frame) + "\n").encode()
    buffer = io.BytesIO()
    if form == "csv":
        _flat(frame).write_csv(buffer)
    elif form == "json":
        frame.with_columns(pl.col(pl.Binary).bin.encode("hex")).write_json(buffer)
        buffer.write(b"\n")
    else:
        frame.write_parquet(buffer)
    return buffer.getvalue()


def frame_text(frame: pl.DataFrame) -> str:
    """Every row and column as text."""
    with pl.Config(
        tbl_rows=-1,
        tbl_cols=-1,
        tbl_width_chars=-1,
        fmt_str_lengths=500,
        fmt_table_cell_list_len=-1,
        tbl_hide_dataframe_shape=True,
        tbl_hide_column_data_types=True,
        tbl_formatting="UTF8_FULL_CONDENSED",
        tbl_cell_numeric_alignment="RIGHT",
    ):
        return str(frame)


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    """Lists and structs as JSON text, bytes as hexadecimal digits: CSV has neither."""
    frame = frame.with_columns(pl.col(pl.Binary).bin.encode("hex"))
    nested = [name for name, kind in frame.schema.items() if kind.is_nested()]
    return frame.with_columns(
        pl.Series(
            name,
            [None if value is None else json.dumps(value, default=str) for value in frame[name].to_list()],
            pl.String,
        )
        for name in nested
    )
