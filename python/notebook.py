"""Writes docs/notebook.ipynb: the cells below, executed on the sample log.

    pip install nbclient nbformat ipykernel matplotlib pandas      # beside the wheel of ebb
    python python/notebook.py

With --check the notebook is executed and not written: it must run without an error, and have the cells that are committed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "docs" / "notebook.ipynb"

#: The largest notebook, in bytes.
MOST_BYTES = 1 << 20

CELLS = [
    "# Churn in a notebook\n\nThe log is the [sample](../datasets/README.md) of a simulated shop. [Ebb from Python](python.md) describes "
    "every function. This notebook is written by `python/notebook.py`.",
    """import ebb
import matplotlib.pyplot as plt
import pandas as pd

events = pd.read_csv("../datasets/shop/events.csv.gz")
events.sample(5, random_state=1)""",
    "## Fit\n\nChurn is no purchase in the next 30 days. The model shows its report in a frame, of which some "
    "viewers show nothing; this is the top of it:\n\n![The top of a report](report.png)",
    """m = ebb.fit(
    events,
    user="user_id", time="time", kind="kind", amount="amount",
    activity="purchase", horizon_days=30, active_within_days=90,
    timezone="Europe/London",
)
m""",
    "print(m)",
    "## How good is it?\n\nThe card has every figure of the report.",
    """test = m.card["horizons"][0]["evaluation"]
rows = {"model": test["model"], **{one["name"]: one["metrics"] for one in test["baselines"]}}
pd.DataFrame({name: {metric: figure["value"] for metric, figure in figures.items() if figure} for name, figures in rows.items()}).T[
    ["log_loss", "auc", "ece"]
].round(4)""",
    """curve = pd.DataFrame(test["calibration_curve"])
figure, axis = plt.subplots(figsize=(4.5, 4.5))
axis.plot([0, 1], [0, 1], color="0.7", linewidth=1)
errors = [curve["observed"] - curve["low"], curve["high"] - curve["observed"]]
axis.errorbar(curve["predicted"], curve["observed"], yerr=errors, fmt="o", markersize=4, capsize=2)
axis.set(xlabel="predicted", ylabel="observed", title=f"Churn on {test['test']}, {test['users']:,} users", xlim=(0, 1), ylim=(0, 1))
plt.show()""",
    "## Score everybody",
    """scores = m.score()
print(scores.attrs["skipped"], "have no score")
scores[["user_id", "churn_probability", "risk_band", "stage", "segment_name", "reason_1"]].head()""",
    """bands = ["low", "medium", "high"]
parts = [scores.loc[scores["risk_band"] == band, "churn_probability"] for band in bands]
figure, axis = plt.subplots(figsize=(7, 3))
axis.hist(parts, bins=40, range=(0, 1), stacked=True, label=bands, color=["#4c9f70", "#e0b040", "#c85250"])
axis.set(xlabel="churn probability", ylabel="users")
axis.legend(title="risk")
plt.show()""",
    "## Whom to call first\n\nBy what is at stake: the churn probability times the spend of a usual month.",
    """calls = m.top(by="loss", limit=8)
calls[["rank", "user_id", "churn_probability", "expected_spend", "spend_at_risk", "reason_1"]].round(2)""",
    "## Why this one\n\n... and what would be, had the user bought something today.",
    """why = m.explain(calls["user_id"][0], suppose="purchase today")
print("\\n".join(why.sentences))
why.scores.round(3)""",
    """reasons = why.reasons.iloc[::-1]
figure, axis = plt.subplots(figsize=(7, 2.8))
axis.barh(reasons["group"], reasons["contribution"], color=["#c85250" if more > 0 else "#4c9f70" for more in reasons["contribution"]])
axis.axvline(0, color="0.3", linewidth=0.8)
axis.set(xlabel="added to the log-odds of churn")
plt.show()""",
    """weeks = why.timeline
figure, (above, below) = plt.subplots(2, 1, figsize=(7, 4), sharex=True)
above.bar(weeks["as_of"], weeks["active_days"], width=5, color="0.6")
above.set(ylabel="active days")
below.plot(weeks["as_of"], weeks["churn_probability_30d"], color="#c85250")
below.set(ylabel="churn probability", ylim=(0, 1))
plt.show()""",
    "## Judge it later\n\nA model of April, judged on users and labels that came after it.",
    """april = ebb.fit(
    events,
    user="user_id", time="time", kind="kind", amount="amount",
    activity="purchase", horizon_days=30, active_within_days=90,
    timezone="Europe/London", as_of="2025-04-01",
)
judged = april.evaluate()
print(judged)
judged.metrics[["metric", "found", "found_low", "found_high", "promised", "standing"]].round(4)""",
    "## Features for other models\n\nWith the labels that a fit would give them; here for scikit-learn.",
    """from sklearn.metrics import roc_auc_score

from ebb.sklearn import EbbChurnClassifier

days = ["2025-02-01", "2025-03-01", "2025-05-01"]
table = ebb.features(
    events, as_of=days, labels=True,
    user="user_id", time="time", kind="kind", amount="amount",
    activity="purchase", horizon_days=30, active_within_days=90, timezone="Europe/London",
)
table = table[table["churned_30d"].notna()]
X = table.drop(columns=["user_id", "as_of", "churned_30d", "label_missing_30d"])
y, later = table["churned_30d"].astype(bool), table["as_of"] == days[-1]
classifier = EbbChurnClassifier(l2=100.0, nonlinear_terms=True).fit(X[~later], y[~later])
print(f"AUC on {days[-1]}: {roc_auc_score(y[later], classifier.predict_proba(X[later])[:, 1]):.3f}")""",
    "## Keep it",
    """import tempfile

with tempfile.TemporaryDirectory() as folder:
    m.save(f"{folder}/shop")
    again = ebb.load(f"{folder}/shop")
    print(again.version == m.version, again.score(events).equals(scores))""",
]


def unexecuted() -> nbformat.NotebookNode:
    """The notebook without outputs."""
    cells = []
    for number, source in enumerate(CELLS):
        is_text = source.startswith("#")
        cell = nbformat.v4.new_markdown_cell(source) if is_text else nbformat.v4.new_code_cell(source)
        # Ids by position, so that the file changes only where a cell does.
        cell["id"] = f"cell-{number}"
        cells.append(cell)
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return notebook


def executed() -> nbformat.NotebookNode:
    """The notebook with outputs, without what differs from run to run."""
    notebook = unexecuted()
    client = NotebookClient(
        notebook, timeout=900, resources={"metadata": {"path": str(NOTEBOOK.parent)}}, record_timing=False
    )
    client.execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            # Bars of progress are for those who watch.
            cell.outputs = [
                output for output in cell.outputs if output.get("name") != "stderr" and not is_widget(output)
            ]
    notebook.metadata.pop("widgets", None)
    notebook.metadata["language_info"] = {"name": "python"}
    return notebook


def is_widget(output: nbformat.NotebookNode) -> bool:
    return "application/vnd.jupyter.widget-view+json" in output.get("data", {})


def main() -> None:
    parser = argparse.ArgumentParser(description="Execute the example notebook.")
    parser.add_argument(
        "--check", action="store_true", help="do not write it, and compare its cells with the committed ones"
    )
    check = parser.parse_args().check
    notebook = executed()
    text = nbformat.writes(notebook) + "\n"
    size = len(text.encode())
    if size > MOST_BYTES:
        sys.exit(f"the notebook has {size:,} bytes, more than {MOST_BYTES:,}")
    if not check:
        NOTEBOOK.write_text(text, encoding="utf-8")
        print(f"{NOTEBOOK.relative_to(ROOT)}: {size:,} bytes")
        return
    committed = [cell.source for cell in nbformat.read(NOTEBOOK, as_version=4).cells]
    if committed != CELLS:
        sys.exit("docs/notebook.ipynb has other cells than python/notebook.py: run it without --check")
    print("the notebook runs")


if __name__ == "__main__":
    main()
