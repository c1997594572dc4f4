"""Small logs with everything in them that a reader and a SQL engine may see in different ways."""

import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

CHURN = """
[churn]
activity = ["purchase"]
horizon_days = [30]
active_within_days = 90
"""

USERS = ["u1", " u2 ", "U2", "ü€3", "4", "004", "", "  ", "\tu5", 'q"6', "o'7", "a,8", "u9\\", "line\nbreak"]
NUMBERS = [
    "1", "-2", "+3", "0", "2.5", ".5", "5.", "1e3", "-1E-2", "0.0000005", "-0.0000015", "2.675", "1e13", "1e999", "", " 7 ",
    "x", "1,5", "0x10", "1_000", "nan", "9223372036854775807", "9223372036854775808", "123456.789012", "--1", "1e",
]
CODES = ["C12", "12", "c3", "", " C4", "P-7-x", "P-08-y", "ÄB", "ABC", "abc", "%", "a_b", "null"]


def quoted(value):
    return '"' + value.replace('"', '""') + '"' if any(c in value for c in ',"\n;') else value


def write(folder, settings, lines, name="log.csv"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("".join(line + "\n" for line in lines), newline="")
    (folder / "ebb.toml").write_text(f'[events]\npaths = ["{name}"]\n{settings}{CHURN}')


def rows(times, separator=","):
    """Every value meets several others: the lists' lengths have no common factor."""
    for i in range(3000):
        row = [USERS[i % 14], times[i % len(times)], CODES[i % 13], NUMBERS[i % 26 if i % 2 else (i // 7) % 26], NUMBERS[(i // 3) % 26]]
        yield separator.join(map(quoted, row))
    # Torn lines: too few columns, too many, and an empty line.
    yield separator.join(["u1", times[0], "C1"])
    yield separator.join(["u1", times[0], "C1", "1", "1", "1"])
    yield ""
    yield separator.join(["u1", times[0], "C1", "1", "1"])


DATES = ["2024-01-31 08:15:00", "2024-02-29 23:59:59", "2023-02-29 00:00:00", "2024-12-31 24:00:00", " 2024-03-01 00:00:00 ",
         "2024-03-01", "1899-12-31 10:00:00", "2199-12-31 23:59:60", "2200-01-01 00:00:00", "", "2024-3-1 00:00:00",
         "1900-01-01 00:00:00", "x", "2024-13-01 00:00:00", "2024-06-01T10:00:00", "0001-01-01 00:00:00", "2024-06-05 09:30:00"]
ISO = ["2024-03-31T00:30:00Z", "2024-03-31T22:30:00Z", "2024-10-27T22:30:00.999Z", "2024-10-27 23:30:00+00:00",
       "2024-06-01T23:30:00-05:00", "2024-06-01T00:30+05:30", "2024-06-01T23:30:00", "2024-06-01", "2024-06-31", "",
       "2024-06-01 23:30:00.123456789", "1950-06-01T23:30:00+02", "2024-06-01T25:00:00Z", "2023-02-29T10:00:00Z", "x",
       "1899-12-31T23:30:00Z", "2199-12-31T23:30:00Z", "2024-06-01 23:30", "1931-07-01T23:30:00Z"]
EPOCH_MS = ["0", "-1", "1709335800000", "1711839600000", "1711839599999", "1730066400000", "1730066399999.5", "1e12", "x", "",
            "9e18", "99999999999999999999", "-2208988800000", "-2208988800001", "7258118399999", "7258118400000", " 5 ",
            "86399999", "86400000"]
DAY_FIRST = ["29/02/2024 23:59", "3/4/2024 1:05", "03/04/2024 01:05", "31/04/2024 10:00", "1/13/2024 10:00", "", "29/02/2023 10:00",
             "1/1/1899 00:00", "2024-01-01 10:00", "10/10/2024  9:00", "10/10/2024", "7/8/24 10:00", "05/06/2024 23:60"]
COMPACT = ["20240229", "20230229", "20240131", "2024013", "202401311", "", "00010101", "99991231", "x0240131", "19000101", "21991231"]

EXPRESSIONS = {
    "returns": ("""'code.startsWith("C") ? "return" : "purchase"'""", "'double(one) * double(other)'"),
    "ladder": (
        """'code == "" ? "none" : code in ["12", "%", "a_b"] ? "listed" : code.matches("^P-[0-9]+") ? "p" + code.substring(2, 3)
            : size(code) > 2 && code.upperAscii() != code ? code.lowerAscii() : code.trim()'""".replace("\n", " "),
        "'one.contains(\".\") || one.endsWith(\"e3\") ? double(one) - double(other) / 3.0 : double(int(one) / 2) + 0.5'"),
    "whole": (
        """'int(one) % 3 == 0 ? "third" : int(one) > 100 ? string(int(one) * 1000000) : "k" + string(-int(one))'""",
        "'double(int(double(other)) + 1)'"),
    "text": (
        """'code < "b" ? code.replace("-", "+").replace("A", "") : !(code >= "c" && code != "null") ? "m" : "z" + code.substring(1)'""",
        """'other.startsWith("-") ? "" : other'"""),
}


def typed(folder):
    """Parquet with instants, numbers and missing values."""
    folder.mkdir(parents=True, exist_ok=True)
    start = datetime.datetime(2024, 3, 9, 20, tzinfo=datetime.timezone.utc)
    at = [None if i % 97 == 0 else start + datetime.timedelta(minutes=37 * i) for i in range(4000)]
    table = pa.table({
        "who": pa.array([None if i % 89 == 0 else f"u{i % 50}" for i in range(4000)]),
        "at": pa.array(at, pa.timestamp("us", "UTC")),
        "what": pa.array([None if i % 83 == 0 else CODES[i % 13] for i in range(4000)]),
        "count": pa.array([None if i % 11 == 0 else i % 7 - 2 for i in range(4000)], pa.int32()),
        "price": pa.array([None if i % 5 == 0 else i / 7 for i in range(4000)]),
        "paid": pa.array([None if i % 13 == 0 else i % 2 == 0 for i in range(4000)]),
    })
    pa.parquet.write_table(table, folder / "log.parquet")
    kind = 'what == null || what in ["", "12"] ? "none" : paid ? what + "-paid" : count < 0 ? "negative" : what'
    amount = 'what != "c3" ? price : double(count) * 1.5'
    mapping = f"kind = {{ expr = '{kind}' }}\namount = {{ expr = '{amount}' }}\n"
    settings = f'user = "who"\ntime = "at"\ntimezone = "America/New_York"\n{mapping}'
    (folder / "ebb.toml").write_text(f'[events]\npaths = ["log.parquet"]\n{settings}{CHURN}')


def make(folder):
    """Writes all logs; the folders that hold one each."""
    folder = Path(folder)
    header = "who,at,code,one,other"
    plain = 'user = "who"\ntime = "at"\nkind = "code"\namount = "one"\n'
    zone = 'timezone = "Europe/Berlin"\n'
    dates = 'time_format = "%Y-%m-%d %H:%M:%S"\n'
    write(folder / "dates", plain + dates, [header, *rows(DATES)])
    write(folder / "iso", plain + zone, [header, *rows(ISO)])
    write(folder / "rfc3339", plain + zone + 'time_format = "rfc3339"\n', [header, *rows(ISO)])
    write(folder / "utc", plain, [header, *rows(ISO)])
    write(folder / "epoch", plain + zone + 'time_format = "epoch_ms"\n', [header, *rows(EPOCH_MS)])
    write(folder / "day-first", plain + 'time_format = "%d/%m/%Y %H:%M"\n', [header, *rows(DAY_FIRST)])
    columns = 'delimiter = ";"\ncolumns = ["who", "at", "code", "one", "other"]\n'
    headless = 'user = "who"\ntime = "at"\namount = "other"\ntime_format = "%Y%m%d"\n'
    write(folder / "compact", headless + columns, list(rows(COMPACT, ";")))
    for name, (kind, amount) in EXPRESSIONS.items():
        mapping = f'user = "who"\ntime = "at"\nkind = {{ expr = {kind} }}\namount = {{ expr = {amount} }}\n'
        write(folder / name, mapping + dates, [header, *rows(DATES)])
    typed(folder / "typed")
    return sorted(path.parent for path in folder.glob("*/ebb.toml"))
