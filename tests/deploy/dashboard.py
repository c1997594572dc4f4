"""Whether Grafana can provision a dashboard: dashboard.py DASHBOARD.json

Grafana takes any JSON and draws nothing where a key is missing, so that keys are looked at here.
"""

import json
import sys
from pathlib import Path

dashboard = json.loads(Path(sys.argv[1]).read_text())
for key in ["uid", "title", "schemaVersion", "panels", "templating", "time", "refresh"]:
    assert dashboard.get(key), key
assert "id" not in dashboard, "an id belongs to one database"
variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
assert variables["datasource"]["type"] == "datasource"
used = json.dumps(dashboard)
panels = dashboard["panels"]
assert len({panel["id"] for panel in panels}) == len(panels) >= 15, "ids"
taken = set()
for panel in panels:
    for key in ["type", "title", "description", "datasource", "gridPos", "targets", "fieldConfig", "options"]:
        assert key in panel, f"{panel.get('title')}: {key}"
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, panel["title"]
    place = panel["gridPos"]
    cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
    assert place["x"] + place["w"] <= 24 and not cells & taken, f"{panel['title']} lies on another"
    taken |= cells
    for target in panel["targets"]:
        assert target["expr"].count("(") == target["expr"].count(")"), target["expr"]
        assert 'job=~"$job", instance=~"$instance"' in target["expr"], f"{panel['title']} shows every server"
for name in variables:
    assert f"${name}" in used or f"${{{name}}}" in used, f"{name} is not used"
