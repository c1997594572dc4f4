"""From a caller's data to Parquet files that ``ebb-train`` reads, and back to the caller's ids."""

from __future__ import annotations

import datetime
import difflib
import enum
import os
import uuid
import zoneinfo
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ._errors import DataError, UsageError

#: Rows of a row group: the reader's threads take one each.
GROUP_ROWS = 1 << 18

#: What a column of the log is: its name, ``{"expr": "..."}``, or a function of the frame that gives the values.
Mapped = str | Mapping[str, str] | Callable[[Any], Any]


class IdType(enum.Enum):
    """What a caller's ids are. The programs read and write them as text."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"

    def restore(self, ids: pd.Series) -> pd.Series:
        """The ids of a result as the caller had them."""
        if self is IdType.INTEGER:
            return ids.astype("int64") if ids.empty else pd.to_numeric(ids)
        if self is IdType.NUMBER:
            return ids.astype("float64")
        return ids


@dataclass(frozen=True)
class Columns:
    """Which columns of a frame are read.

    Attributes
    ----------
    names : dict of str to str
        Column by the key of ``[events]``: ``user``, ``time``, ``kind`` and ``amount``.
    whole : bool
        Whether all columns are needed, because an expression may use any of them.
    functions : dict of str to callable
        Functions of the frame, by the name of the column that holds their values.
    """

    names: dict[str, str] = field(default_factory=dict)
    whole: bool = False
    functions: dict[str, Callable[[Any], Any]] = field(default_factory=dict)

    @classmethod
    def of_settings(cls, events: Mapping[str, Any]) -> Columns:
        """The columns that a section ``[events]`` maps."""
        mapped = {key: events[key] for key in ("user", "time", "kind", "amount") if key in events}
        names = {key: value for key, value in mapped.items() if isinstance(value, str)}
        # A log without a user or a time is a roll-up, all of whose columns are needed.
        whole = len(names) < len(mapped) or not {"user", "time"} <= mapped.keys()
        return cls(names=names, whole=whole)

    def wanted(self) -> list[str] | None:
        """The columns to send; None for all."""
        return None if self.whole else list(dict.fromkeys(self.names.values()))


@dataclass(frozen=True)
class Log:
    """Events that ``ebb-train`` can read.

    Attributes
    ----------
    paths : list of str
        Files, folders or patterns.
    ids : IdType
        What the ids are for the caller.
    zone : str or None
        The time zone of the times, where they have one.
    """

    paths: list[str]
    ids: IdType = IdType.TEXT
    zone: str | None = None

    @classmethod
    def of(cls, data: Any, columns: Columns, folder: Path) -> Log:
        """Write what is not a path yet into ``folder``.

        Parameters
        ----------
        data : path, sequence of paths, or anything with columns
            See :func:`ebb.fit`.
        columns : Columns
            The columns to send.
        folder : pathlib.Path
            Where the Parquet file goes. It must be private, and somebody else removes it.

        Raises
        ------
        UsageError, DataError
            If the data is of a type that is not known, or a column cannot be sent.
        """
        paths = paths_of(data)
        if paths is not None:
            if columns.functions:
                raise UsageError(
                    f"`{next(iter(columns.functions))}` is a function of a frame, but the data is a path: give an "
                    "expression such as {'expr': 'type.lowerAscii()'}"
                )
            return cls(paths)
        reader = reader_of(data, columns)
        written = write(reader, columns, folder / "events.parquet")
        return cls([str(folder / "events.parquet")], written.ids, written.zone)


def paths_of(data: Any) -> list[str] | None:
    """The absolute paths that the data are; None for a frame."""
    if isinstance(data, (str, os.PathLike)):
        return [os.path.abspath(os.fspath(data))]
    if isinstance(data, Sequence) and data and all(isinstance(path, (str, os.PathLike)) for path in data):
        return [os.path.abspath(os.fspath(path)) for path in data]
    return None


def reader_of(data: Any, columns: Columns) -> pa.RecordBatchReader:
    """The rows of a frame as Arrow."""
    if hasattr(data, "collect") and type(data).__module__.startswith("polars"):
        data = data.collect()
    data = with_functions(data, columns.functions)
    wanted = columns.wanted()
    if isinstance(data, pd.DataFrame):
        return table_of_pandas(data, wanted).to_reader(max_chunksize=GROUP_ROWS)
    if isinstance(data, pa.RecordBatchReader):
        return data
    if isinstance(data, pa.RecordBatch):
        return pa.Table.from_batches([data]).to_reader(max_chunksize=GROUP_ROWS)
    if hasattr(data, "__arrow_c_stream__"):
        return pa.RecordBatchReader.from_stream(data)
    # Relations of a DuckDB that does not have the protocol yet.
    if hasattr(data, "fetch_record_batch"):
        reader: pa.RecordBatchReader = data.fetch_record_batch(GROUP_ROWS)
        return reader
    raise UsageError(
        f"the data is a {type(data).__module__}.{type(data).__qualname__}: give a path, or a frame of pandas, Polars, "
        "DuckDB or pyarrow, or anything else that has __arrow_c_stream__"
    )


def with_functions(data: Any, functions: Mapping[str, Callable[[Any], Any]]) -> Any:
    """The frame with a column for each function of it."""
    for name, function in functions.items():
        if isinstance(data, pd.DataFrame):
            data = data.assign(**{name: function(data)})
        elif isinstance(data, pa.Table):
            values = function(data)
            if name in data.column_names:
                data = data.drop_columns([name])
            data = data.append_column(name, values if isinstance(values, pa.ChunkedArray) else pa.array(values))
        elif type(data).__module__.startswith("polars"):
            data = data.with_columns(**{name: function(data)})
        else:
            raise UsageError(
                f"`{name}` is a function, which only frames of pandas or Polars and tables of pyarrow can be given to: "
                "make a column of it, or give an expression such as {'expr': 'type.lowerAscii()'}"
            )
    return data


def table_of_pandas(frame: pd.DataFrame, wanted: list[str] | None) -> pa.Table:
    """The columns of a pandas frame as Arrow, with nulls where values are missing."""
    levels = [str(name) for name in frame.index.names if name is not None]
    names = [str(name) for name in frame.columns]
    if wanted is not None and any(name in levels and name not in names for name in wanted):
        frame = frame.reset_index()
        names = [str(name) for name in frame.columns]
    chosen = names if wanted is None else wanted
    for name in chosen:
        check_column(name, names)
    positions = {name: position for position, name in enumerate(names)}
    return pa.table({name: array_of_pandas(name, frame.iloc[:, positions[name]]) for name in chosen})


def check_column(name: str, names: Sequence[str]) -> None:
    """Refuse a column that is not there, or twice."""
    count = list(names).count(name)
    if count == 0:
        near = difflib.get_close_matches(name, names, n=1)
        hint = f" (did you mean `{near[0]}`?)" if near else ""
        raise UsageError(f"the data has no column `{name}`{hint}; it has: {', '.join(names)}")
    if count > 1:
        raise UsageError(f"the data has {count} columns of the name `{name}`")


def array_of_pandas(name: str, series: pd.Series) -> pa.Array | pa.ChunkedArray:
    """A column of pandas as Arrow."""
    if isinstance(series.dtype, pd.PeriodDtype):
        # As Arrow a period is a number whose unit only pandas knows.
        series = series.dt.to_timestamp()
    if series.dtype == object:
        check_zones(name, series)
    try:
        return pa.Array.from_pandas(series)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError) as error:
        types = sorted({type(value).__name__ for value in series.dropna()})
        if len(types) > 1:
            raise DataError(
                f"the column `{name}` holds values of several types ({', '.join(types)}), so one id or time could be "
                f"written in two ways: make them one first, such as df[{name!r}].astype(str)"
            ) from error
        raise DataError(f"the column `{name}` cannot be sent as Arrow: {error}") from error


def check_zones(name: str, series: pd.Series) -> None:
    """Refuse times of which some have a zone and some have none: Arrow would take the latter for UTC."""
    zoned = {value.tzinfo is not None for value in series.dropna() if isinstance(value, datetime.datetime)}
    if len(zoned) > 1:
        raise DataError(
            f"the column `{name}` holds times with a time zone and times without one: give all of them the same, such "
            f"as pandas.to_datetime(df[{name!r}], utc=True)"
        )


@dataclass(frozen=True)
class Written:
    """What is known of a log that was written."""

    ids: IdType
    zone: str | None


def write(reader: pa.RecordBatchReader, columns: Columns, path: Path) -> Written:
    """Write the rows of a reader as Parquet."""
    wanted = columns.wanted()
    names = reader.schema.names
    for name in names if wanted is None else wanted:
        check_column(name, names)
    chosen = names if wanted is None else wanted
    schema = pa.schema([pa.field(name, sent_type(reader.schema.field(name))) for name in chosen])
    user = columns.names.get("user")
    numbers = user is not None and pa.types.is_floating(value_type(schema.field(user).type))
    all_whole = True
    try:
        with pq.ParquetWriter(path, schema, compression="zstd", compression_level=1, write_statistics=False) as writer:
            for table in groups(reader, schema):
                if numbers and all_whole:
                    all_whole = are_whole(table.column(user))
                writer.write_table(table, row_group_size=GROUP_ROWS)
    except pa.ArrowException as error:
        raise DataError(f"the data cannot be written as Parquet: {error}") from error
    time = columns.names.get("time")
    return Written(
        ids=id_type(schema.field(user).type, all_whole) if user is not None else IdType.TEXT,
        zone=zone_of(value_type(schema.field(time).type)) if time is not None else None,
    )


def groups(reader: pa.RecordBatchReader, schema: pa.Schema) -> Iterator[pa.Table]:
    """The rows in tables of a row group each: engines hand over batches of a few thousand rows."""
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in reader:
        arrays = [sent_array(batch.column(column.name), column.type) for column in schema]
        batch = pa.RecordBatch.from_arrays(arrays, schema=schema)
        while rows + batch.num_rows >= GROUP_ROWS:
            fitting = GROUP_ROWS - rows
            yield pa.Table.from_batches([*waiting, batch.slice(0, fitting)])
            batch, waiting, rows = batch.slice(fitting), [], 0
        if batch.num_rows > 0:
            waiting.append(batch)
            rows += batch.num_rows
    if waiting:
        yield pa.Table.from_batches(waiting)


def sent_type(column: pa.Field) -> pa.DataType:
    """The type that a column is written in.

    Raises
    ------
    DataError
        If only the library that made it can say what its values mean.
    """
    if isinstance(column.type, pa.BaseExtensionType):
        if column.type.extension_name == "arrow.uuid":
            return pa.string()
        raise DataError(
            f"the column `{column.name}` is of the type {column.type}, which Ebb does not read: make text, numbers or "
            "times of it"
        )
    if pa.types.is_dictionary(column.type) and pa.types.is_string_view(column.type.value_type):
        return pa.dictionary(column.type.index_type, pa.string())
    return column.type


def sent_array(array: pa.Array, type_: pa.DataType) -> pa.Array:
    """A column in the type that it is written in."""
    if array.type == type_:
        return array
    if pa.types.is_dictionary(type_):
        return pa.DictionaryArray.from_arrays(array.indices, array.dictionary.cast(type_.value_type))
    ids = (None if value is None else str(uuid.UUID(bytes=value)) for value in array.storage.to_pylist())
    return pa.array(ids, type_)


def value_type(type_: pa.DataType) -> pa.DataType:
    """The type of the values, also of a dictionary (a categorical column)."""
    return type_.value_type if pa.types.is_dictionary(type_) else type_


def id_type(type_: pa.DataType, all_whole: bool) -> IdType:
    """What ids of an Arrow type are for the caller."""
    type_ = value_type(type_)
    if pa.types.is_integer(type_):
        return IdType.INTEGER
    if pa.types.is_floating(type_):
        # pandas makes floating-point numbers of integers beside which some are missing.
        return IdType.INTEGER if all_whole else IdType.NUMBER
    return IdType.TEXT


def are_whole(ids: pa.ChunkedArray) -> bool:
    """Whether all numbers are integers, apart from those that are missing."""
    if pa.types.is_dictionary(ids.type):
        ids = ids.cast(value_type(ids.type))
    known = ids.filter(pc.is_finite(ids))
    return bool(pc.all(pc.equal(pc.floor(known), known)).as_py() is not False)


def zone_of(type_: pa.DataType) -> str | None:
    """The zone of a column of timestamps; None for times without one."""
    return type_.tz if pa.types.is_timestamp(type_) else None


def timezone(zone: str | None, given: str | None) -> str | None:
    """The time zone whose days are counted: what the caller says, or else the zone of the times.

    Raises
    ------
    UsageError
        If the times have a fixed offset, whose days nobody lives by.
    """
    if given is not None or zone is None:
        return given
    if zone in ("UTC", "Etc/UTC", "+00:00", "-00:00", "Z"):
        return "UTC"
    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
        raise UsageError(
            f"the times have the offset {zone}, which is no time zone: name the zone whose days are counted, such as "
            "timezone='Europe/London'"
        ) from error
    return zone
