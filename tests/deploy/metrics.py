"""Reads the page of metrics as Prometheus would, and compares its names with docs/serving/observe.md: metrics.py HOST:PORT"""

import re
import sys
import urllib.request
from pathlib import Path

from prometheus_client.openmetrics.parser import text_string_to_metric_families

page = urllib.request.urlopen(f"http://{sys.argv[1]}/metrics", timeout=5).read().decode()
families = list(text_string_to_metric_families(page))
there = {family.name + ("_total" if family.type == "counter" else "") for family in families}
told = set(re.findall(r"^\| `((?:ebb|grpc|process)_\w+)` \|", Path("docs/serving/observe.md").read_text(), re.MULTILINE))
# The shadow's are there only while a model has that label.
assert there <= told and all("shadow" in name or "trace" in name for name in told - there), f"{sorted(there ^ told)}"
labels = {name for family in families for sample in family.samples for name in sample.labels}
assert labels == {"grpc_type", "grpc_service", "grpc_method", "grpc_code", "model", "version", "labels", "reason", "result", "le"}, labels
