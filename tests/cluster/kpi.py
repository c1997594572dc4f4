"""The indicators of `ebb-train kpi` on the sample log must be those of the query in docs/kpi.md, run by DuckDB.

    kpi.py EBB_TRAIN WORK_DIR
"""

import csv
import gzip
import shutil
import sys
from pathlib import Path

import duckdb

from checks import REPOSITORY, check, end, run

train, work = Path(sys.argv[1]), Path(sys.argv[2]) / "kpi"
shutil.rmtree(work, ignore_errors=True)
work.mkdir(parents=True)

# The sample log has no answers to a survey: some are added, each twelfth of them beyond the scale.
shop = REPOSITORY / "datasets/shop"
rows = [row.split(",") for row in gzip.open(shop / "events.csv.gz", "rt", errors="replace").read().splitlines()]
header = rows[0]
with open(work / "nps.csv", "w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(header)
    users = sorted({row[header.index("user_id")] for row in rows[1:] if len(row) == len(header)} - {""})
    for place, user in enumerate(users):
        for again in range(place % 3):
            month, day, answer = 1 + (place + 5 * again) % 12, 1 + place % 28, (place * 7 + again * 5) % 12
            fields = {"user_id": user, "time": f"2024-{month:02}-{day:02} 10:00:00", "kind": "nps", "amount": str(answer)}
            writer.writerow([fields.get(name, "") for name in header])
text = (shop / "ebb.toml").read_text()
config = work / "ebb.toml"
config.write_text(text.replace('["events.csv.gz"]', f"['{shop}/events.csv.gz', '{work}/nps.csv']") + "\n[privacy]\nmin_users = 2\n")


def kpi(name, *arguments):
    run(train, "kpi", "--quiet", "--config", config, *arguments, "--out", work / name)
    return list(csv.DictReader(open(work / name)))


whole = kpi("all.csv", "--period", "all")
first, until = whole[0]["from"], whole[0]["until"]
found = {(row["kpi"], row["from"]): row for row in kpi("months.csv") if row["slice"] == "all"}

page = (REPOSITORY / "docs/kpi.md").read_text()
query = page.split("```sql\n")[1].split("```")[0]
duckdb.execute("CREATE VIEW rollup AS " + run(train, "rollup-sql", "--dialect", "duckdb", "--config", config))
expected = duckdb.execute(query, {"first": first, "until": until}).fetchall()
compared, wrong, withheld = {}, [], 0
for name, start, numerator, denominator, value in expected:
    row = found.pop((name, str(start)), None)
    if row is None:
        wrong.append((name, start, "has no row"))
    elif row["problem"] in ("too_few_users", "hidden_with_another"):
        withheld += 1
    else:
        pairs = [("numerator", numerator), ("denominator", denominator), ("value", value)]
        for column, figure in pairs:
            own = row[column]
            equal = own == "" if figure is None else own != "" and abs(float(own) - float(figure)) <= 1e-9 * max(1.0, abs(float(figure)))
            if not equal:
                wrong.append((name, start, column, own, figure))
        compared[name] = compared.get(name, 0) + 1
lifecycle = {"stage_mix", "mature_review_due", "transition", "dwell_days"}
extra = [key for key in found if key[0] not in lifecycle]
check(f"DuckDB: {sum(compared.values())} figures of {len(compared)} indicators equal ebb-train's, {withheld} are withheld {wrong[:5]}", not wrong)
check(f"each of the query's indicators was compared, and ebb-train has no others {extra[:5]}", len(compared) == 17 and not extra)
# The negative control: another rule for who has lapsed is seen.
other = duckdb.execute(query.replace("silent > 90", "silent > 60"), {"first": first, "until": until}).fetchall()
check("a query with another definition gives other figures", sorted(map(str, other)) != sorted(map(str, expected)))

run(train, "rollup", "--quiet", "--config", config, "--out", work / "rollup")
months = (work / "months.csv").read_bytes()
kpi("rolled.csv", "--events", work / "rollup")
check("the roll-up gives the raw log's figures, byte for byte", (work / "rolled.csv").read_bytes() == months)
end()
