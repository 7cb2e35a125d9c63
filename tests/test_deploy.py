"""The files in deploy/, which CI cannot run: their form, and that what they call is there."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from chronomask.cli import main

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"

INSTRUCTIONS = {
    *("FROM", "RUN", "CMD", "LABEL", "EXPOSE", "ENV", "ADD", "COPY", "ENTRYPOINT", "VOLUME", "USER", "WORKDIR"),
    *("ARG", "ONBUILD", "STOPSIGNAL", "HEALTHCHECK", "SHELL"),
}

Pod = {
    "containers*": [
        {
            "name*": str,
            "image*": str,
            "ports": [{"containerPort*": int, "name": str}],
            "resources*": {"requests*": {"cpu*": str, "memory*": str}, "limits*": {"cpu": str, "memory*": str}},
            "volumeMounts": [{"name*": str, "mountPath*": str, "readOnly": bool}],
        }
    ],
    "volumes": [{"name*": str, "persistentVolumeClaim*": {"claimName*": str}}],
}
Group = {"rayStartParams": {str: str}, "template*": {"spec*": Pod}}

RAY_JOB = {
    "apiVersion*": "ray.io/v1",
    "kind*": "RayJob",
    "metadata*": {"name*": str},
    "spec*": {
        "entrypoint*": str,
        "shutdownAfterJobFinishes": bool,
        "ttlSecondsAfterFinished": int,
        "backoffLimit": int,
        "rayClusterSpec*": {
            "rayVersion": str,
            "headGroupSpec*": Group,
            "workerGroupSpecs": [
                {"groupName*": str, "replicas": int, "minReplicas*": int, "maxReplicas*": int, **Group},
            ],
        },
    },
}
"""What the operator takes, as far as the example uses it: a star for what must be there."""

COMPOSE = {
    "name": str,
    "x-chronomask": dict,
    "services*": {
        str: {
            "image*": str,
            "build": {"context*": str, "dockerfile": str},
            "volumes": [str],
            "shm_size": str,
            "command": [str],
            "entrypoint": [str],
            "ports": [str],
            "profiles": [str],
            "depends_on": [str],
            "restart": str,
            "deploy": {"replicas": int},
        }
    },
}


def check(value: Any, form: Any, where: str) -> None:
    """Raises AssertionError where a value has not the form: a type, a value, a list of one form, or fields."""
    if isinstance(form, type):
        assert type(value) is form, f"{where}: {value!r}"
    elif isinstance(form, list):
        assert isinstance(value, list), where
        for number, entry in enumerate(value):
            check(entry, form[0], f"{where}[{number}]")
    elif isinstance(form, dict):
        assert isinstance(value, dict), where
        forms = {name.removesuffix("*") if isinstance(name, str) else name: inner for name, inner in form.items()}
        missing = [name for name in form if isinstance(name, str) and name.endswith("*") and name[:-1] not in value]
        assert not missing, f"{where}: without {missing}"
        for name, inner in value.items():
            assert name in forms or str in forms, f"{where}: unknown {name}"
            check(inner, forms.get(name, forms.get(str)), f"{where}.{name}")
    else:
        assert value == form, f"{where}: {value!r}"


def check_command(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """All options of a `chronomask batch` are there."""
    with pytest.raises(SystemExit):
        main(["batch", "--help"])
    known = set(re.findall(r"--[a-z][\w.-]*", capsys.readouterr().out))
    assert words[0] == "batch"
    used = {word for word in words if word.startswith("--")}
    assert {"--out"} <= used <= known


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in text.splitlines() if line.strip()]


def test_the_dockerfile() -> None:
    found = instructions()
    names = [name for name, _ in found]
    assert set(names) <= INSTRUCTIONS
    assert names[0] == "FROM"
    assert re.fullmatch(r"[\w./-]+:[\w.-]+", found[0][1])
    assert not found[0][1].endswith(":latest")
    for name, text in found:
        if name == "COPY":
            *sources, _ = shlex.split(text)
            assert all((ROOT / source).exists() for source in sources), text
        if name in ("ENTRYPOINT", "CMD"):
            assert all(isinstance(word, str) for word in json.loads(text))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert json.loads(dict(found)["ENTRYPOINT"])[0] in project["scripts"]
    # Nobody is root, and what is installed is what was tested.
    users = [text for name, text in found if name == "USER"]
    assert users
    assert users[-1] not in ("root", "0")
    [install] = [text for name, text in found if name == "RUN" and "pip install" in text]
    assert "--constraint constraints.txt" in install
    assert "--no-cache-dir" in install
    [extras] = re.findall(r"'\.\[(.*?)\]'", install)
    assert set(extras.split(",")) <= set(project["optional-dependencies"])
    # All files that the package is built from are there.
    copied = " ".join(text for name, text in found if name == "COPY").split()
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert {*wheel["packages"][0].split("/")[:1], *wheel["shared-data"], project["readme"]} <= set(copied)


def test_the_compose_file(capsys: pytest.CaptureFixture[str]) -> None:
    content = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    check(content, COMPOSE, "compose.yaml")
    services = content["services"]
    check_command(services["batch"]["command"], capsys)
    for service in services.values():
        assert (
            DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]
        ).resolve() == DEPLOY / "Dockerfile"
        assert set(service.get("depends_on", [])) <= set(services)
    text = (DEPLOY / "compose.yaml").read_text()
    [told] = re.findall(r"^# .*exec head chronomask (.*)$", text, re.MULTILINE)
    check_command(told.split(), capsys)


def test_the_kubernetes_job(capsys: pytest.CaptureFixture[str]) -> None:
    content = yaml.safe_load((DEPLOY / "rayjob.yaml").read_text())
    check(content, RAY_JOB, "rayjob.yaml")
    spec = content["spec"]
    program, *words = spec["entrypoint"].split()
    assert program == "chronomask"
    check_command(words, capsys)
    cluster = spec["rayClusterSpec"]
    pinned = dict(re.findall(r"^(ray)==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    assert cluster["rayVersion"] == pinned["ray"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        pod = group["template"]["spec"]
        volumes = {volume["name"] for volume in pod["volumes"]}
        [container] = pod["containers"]
        mounts = container["volumeMounts"]
        assert {mount["name"] for mount in mounts} <= volumes
        assert "/data" in {mount["mountPath"] for mount in mounts}  # all see the same files


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"apiVersion": "ray.io/v1"}, "without"),
        ({"apiVersion": "v1", "kind": "RayJob", "metadata": {"name": "x"}, "spec": {}}, "apiVersion: 'v1'"),
        ({"apiVersion": "ray.io/v1", "kind": "RayJob", "metadata": {"name": 5}, "spec": {}}, "metadata.name: 5"),
        (
            {"apiVersion": "ray.io/v1", "kind": "RayJob", "metadata": {"nam": "x", "name": "x"}, "spec": {}},
            "unknown nam",
        ),
    ],
)
def test_the_check_finds_faults(value: dict[str, Any], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check(value, RAY_JOB, "job")
