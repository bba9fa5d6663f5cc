"""The manifests are sound YAML, name what exists, and hold to their own rules."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pneumoscope.cli.main import VERBS

DEPLOY = Path(__file__).parents[2] / "deploy"


def documents() -> list[dict[str, Any]]:
    yaml = pytest.importorskip("yaml")
    paths = [*DEPLOY.glob("kubernetes/*.yaml"), *DEPLOY.glob("ray/*.yaml")]
    return [each for path in sorted(paths) for each in yaml.safe_load_all(path.read_text()) if each]


def test_every_manifest_has_a_kind_and_a_name() -> None:
    found = documents()

    assert {"Deployment", "Service", "ConfigMap", "Ingress", "Job", "RayJob"} <= {each["kind"] for each in found}
    assert all(each["apiVersion"] and re.fullmatch(r"[a-z0-9-]+", each["metadata"]["name"]) for each in found)


def test_the_deployment_mounts_what_it_declares_and_asks_for_settings_that_exist() -> None:
    from dataclasses import fields

    from pneumoscope.server.config import WebConfig

    found = {each["kind"]: each for each in documents() if each["metadata"]["name"].startswith("pneumoscope")}
    pod = found["Deployment"]["spec"]["template"]["spec"]
    mounted = {mount["name"] for container in pod["containers"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}
    labels = found["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert found["Service"]["spec"]["selector"].items() <= labels.items()
    known = {f"PNEUMOSCOPE_WEB_{field.name.upper()}" for field in fields(WebConfig)}
    settings = {key for key in found["ConfigMap"]["data"] if key.startswith("PNEUMOSCOPE_WEB_")}
    assert settings <= known


def test_every_command_in_deploy_is_a_verb() -> None:
    text = "\n".join(path.read_text() for path in DEPLOY.rglob("*") if path.is_file())

    verbs = set(re.findall(r"^(?:[^#\n]* )?pneumoscope ([a-z][a-z-]+) [\"$s/]", text, re.MULTILINE))
    assert {"score", "search"} <= verbs
    assert verbs <= set(VERBS)


def test_the_shell_scripts_parse() -> None:
    if shutil.which("bash") is None:
        pytest.skip("no bash")
    for path in [*DEPLOY.glob("slurm/*.sbatch"), *DEPLOY.glob("ray/*.sh")]:
        subprocess.run(["bash", "-n", str(path)], check=True)  # noqa: S607
