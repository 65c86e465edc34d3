"""The continuous integration: it runs what the README says, with no more rights than it needs."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml


@pytest.fixture(scope="module")
def workflows() -> dict[str, dict]:
    """Return every workflow by the name of its file."""
    folder = Path(__file__).resolve().parents[2] / ".github" / "workflows"
    return {path.name: yaml.safe_load(path.read_text()) for path in sorted(folder.glob("*.yml"))}


def steps(workflow: dict) -> list[dict]:
    """Return the steps of all jobs."""
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_there_is_one(workflows: dict[str, dict]) -> None:
    assert "ci.yml" in workflows


def test_each_starts_with_the_right_to_read_only(workflows: dict[str, dict]) -> None:
    for name, workflow in workflows.items():
        assert workflow["permissions"] == {"contents": "read"}, name


def test_only_the_deployment_may_write_and_only_pages(workflows: dict[str, dict]) -> None:
    for workflow in workflows.values():
        for name, job in workflow["jobs"].items():
            writes = {key for key, value in job.get("permissions", {}).items() if value == "write"}
            assert writes == ({"pages", "id-token"} if name == "deploy" else set())


def test_every_job_ends_by_itself(workflows: dict[str, dict]) -> None:
    for workflow in workflows.values():
        for name, job in workflow["jobs"].items():
            assert 0 < job["timeout-minutes"] <= 60, name


def test_actions_name_a_version(workflows: dict[str, dict]) -> None:
    for workflow in workflows.values():
        for step in steps(workflow):
            if "uses" in step:
                assert re.fullmatch(r"[\w-]+/[\w-]+@(?:v\d+|[0-9a-f]{40})", step["uses"]), step["uses"]


def test_checkouts_leave_no_credentials_behind(workflows: dict[str, dict]) -> None:
    for workflow in workflows.values():
        for step in steps(workflow):
            if step.get("uses", "").startswith("actions/checkout"):
                assert step["with"]["persist-credentials"] is False


def test_only_the_main_branch_is_published(workflows: dict[str, dict]) -> None:
    job = workflows["ci.yml"]["jobs"]["deploy"]
    assert "refs/heads/main" in job["if"]
    assert job["needs"] == "test"


def test_the_tests_are_those_of_the_readme(workflows: dict[str, dict], root: Path) -> None:
    commands = [step.get("run") for step in workflows["ci.yml"]["jobs"]["test"]["steps"]]
    assert ".ci/run" in commands
    script = (root / ".ci" / "run").read_text()
    assert re.search(r"^make .*\btest$", script.rstrip().splitlines()[-1])
    assert "make test" in (root / "README.md").read_text()


def test_commands_of_the_workflows_exist(workflows: dict[str, dict], root: Path) -> None:
    makefile = (root / "Makefile").read_text()
    for workflow in workflows.values():
        for step in steps(workflow):
            for target in re.findall(r"^make ([a-z]+)", step.get("run", ""), re.M):
                assert re.search(rf"^{target}:", makefile, re.M), target


def test_the_script_is_valid_stops_at_the_first_failure_and_can_be_started(root: Path) -> None:
    script = root / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text().startswith("#!/usr/bin/env bash\n")
    assert "\nset -euo pipefail\n" in script.read_text()
    subprocess.run(["bash", "-n", str(script)], check=True)


def test_dependabot_leaves_what_moves_by_hand_alone(root: Path) -> None:
    settings = yaml.safe_load((root / ".github" / "dependabot.yml").read_text())
    by_kind = {update["package-ecosystem"]: update for update in settings["updates"]}
    assert set(by_kind) == {"pip", "github-actions"}
    assert "torch" in {entry["dependency-name"] for entry in by_kind["pip"]["ignore"]}
