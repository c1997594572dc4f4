"""What the files for running the server say of each other.

consistent.py limits: docs/ebb-serve.toml has every limit of the table in docs/serving/tune.md, at its default
consistent.py waits: the unit and the manifest wait longer than the server drains, and allow enough open files
consistent.py pod FOLDER: writes the manifest's configuration, with its paths below the folder, as ebb-serve.toml
"""

import re
import sys
import tomllib
from pathlib import Path

import yaml

LIMITS = tomllib.loads(Path("docs/ebb-serve.toml").read_text())["limits"]


def limits():
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \|", Path("docs/serving/tune.md").read_text(), re.MULTILINE)
    table = {name: int(default) for name, default in rows}
    differ = {name for name in table.keys() | LIMITS.keys() if table.get(name) != LIMITS.get(name)}
    assert table and not differ, f"{sorted(differ)}"


def waits():
    unit = dict(re.findall(r"^(TimeoutStopSec|LimitNOFILE)=(\d+)", Path("deploy/ebb-serve.service").read_text(), re.MULTILINE))
    assert int(unit["TimeoutStopSec"]) > LIMITS["drain_seconds"], "TimeoutStopSec"
    assert int(unit["LimitNOFILE"]) > LIMITS["connections"], "LimitNOFILE"
    pod = manifest()["Deployment"]["spec"]["template"]["spec"]
    pause = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] > pause + LIMITS["drain_seconds"], "terminationGracePeriodSeconds"


def manifest():
    return {part["kind"]: part for part in yaml.safe_load_all(Path("deploy/kubernetes.yaml").read_text())}


def pod(folder):
    parts = manifest()
    text = parts["ConfigMap"]["data"]["ebb-serve.toml"]
    config = tomllib.loads(text)
    spec = parts["Deployment"]["spec"]["template"]["spec"]
    container = spec["containers"][0]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert config["listen"].endswith(f":{ports['grpc']}") and config["metrics"]["listen"].endswith(f":{ports['metrics']}")
    mounted = [mount["mountPath"] + "/" for mount in container["volumeMounts"]]
    paths = [config["model"], config["models"], config["rollup"], config["api_keys_file"], *config["tls"].values()]
    lost = [path for path in paths if not any(path.startswith(mount) for mount in mounted)]
    assert not lost, f"not mounted: {lost}"
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in spec["volumes"]}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ebb-serve.toml").write_text(text.replace('"/', f'"{folder}/'))


if __name__ == "__main__":
    pod(Path(sys.argv[2])) if sys.argv[1] == "pod" else {"limits": limits, "waits": waits}[sys.argv[1]]()
