"""Results of commands as frames."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ._events import IdType


def read_result(path: Path, ids: IdType) -> pd.DataFrame:
    """A Parquet file of a command as a frame, with the caller's ids and days as timestamps.

    Whole numbers have 64 bits: with fewer, ``horizon_days * 1440`` would overflow silently.
    """
    table = pq.read_table(path)
    wide = pa.schema(
        [field.with_type(pa.int64()) if pa.types.is_integer(field.type) else field for field in table.schema]
    )
    frame: pd.DataFrame = table.cast(wide).to_pandas(date_as_object=False)
    frame["user_id"] = ids.restore(frame["user_id"])
    return frame
