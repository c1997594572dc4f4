"""What the files for running the server say of each other.

consistent.py limits: docs/ebb-serve.toml has every limit of the table in docs/serving/tune.md, at its default
consistent.py waits: the unit and the manifest wait longer than the server drains, and allow enough open files
consistent.py probe: the command of the image's and the manifest's probes, as one line of arguments after the program
consistent.py copies DOCKERFILE FOLDER [WITHOUT]: copies what the image's build copies, all but one path
consistent.py pod FOLDER: writes the manifest's configuration, with its paths below the folder, as ebb-serve.toml
"""

import json
import re
import shutil
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


def copies(dockerfile, folder, without=None):
    """What reaches the build: copied from the context, and not held back from it."""
    ignored = Path(f"{dockerfile}.dockerignore").read_text().splitlines()
    let_in = {line[1:] for line in ignored if line.startswith("!")}
    lines = re.findall(r"^COPY (?!--from)(.+)$", Path(dockerfile).read_text(), re.MULTILINE)
    sources = [source for line in lines for source in line.split()[:-1]]
    assert sources and set(sources) == let_in, f"{sorted(set(sources) ^ let_in)}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for source in set(sources) - {without}:
        if Path(source).is_dir():
            shutil.copytree(source, folder / source)
        else:
            shutil.copy(source, folder / source)


def probe():
    """The image's and the manifest's commands differ only in where the configuration is."""
    image = re.search(r"^HEALTHCHECK .*\\\n\s+CMD (\[.*\])$", Path("deploy/Dockerfile").read_text(), re.MULTILINE)
    program, *arguments = json.loads(image.group(1))
    container = manifest()["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    own = container["startupProbe"]["exec"]["command"]
    entry = re.search(r"^ENTRYPOINT (\[.*\])$", Path("deploy/Dockerfile").read_text(), re.MULTILINE)
    assert [program] == json.loads(entry.group(1)) and own[0] == program, f"{program} {own}"
    assert own[1:3] == container["args"] and own[3:] == arguments[2:], f"{own} {arguments}"
    print(*arguments[2:])


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
    what, *arguments = sys.argv[1:]
    if what == "pod":
        pod(Path(arguments[0]))
    elif what == "copies":
        copies(arguments[0], Path(arguments[1]), *arguments[2:])
    else:
        {"limits": limits, "waits": waits, "probe": probe}[what]()
