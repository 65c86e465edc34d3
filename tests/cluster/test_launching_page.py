"""The page on launching: its examples are well formed, run the notebook's program, and one of them is run."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from torch.distributed.run import config_from_args, parse_args

from computegap.cluster import train
from computegap.cluster.launch import launch

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "reference" / "launching.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.M | re.S)
PROGRAM = "computegap.cluster.train"

#: What schedulers put into the variables that the examples use.
CLUSTER = {
    "SLURM_NNODES": "2",
    "SLURM_JOB_ID": "77",
    "SLURM_SUBMIT_DIR": "/shared",
    "SKYPILOT_NUM_NODES": "2",
    "first": "first.example.org",
}


def words_of_script(script: str) -> list[str]:
    """Words of the torchrun command in a shell script, with the cluster's variables filled in."""
    command = re.search(r"^\s*(?:srun )?(torchrun (?:.*\\\n)*.*)$", script, re.M)[1]
    command = re.sub(r"\\\n", " ", command)
    return shlex.split(re.sub(r"\$(\w+)", lambda match: CLUSTER[match[1]], command))


def words_of_container(container: dict) -> list[str]:
    words = container["command"] + container["args"]
    assert all(isinstance(word, str) for word in words), "Kubernetes takes texts only"
    return words


def documents() -> list[dict]:
    return [yaml.safe_load(text) for language, text in BLOCKS if language == "yaml"]


def of_kind(kind: str) -> dict:
    return next(document for document in documents() if document.get("kind") == kind)


def commands() -> dict[str, list[str]]:
    """Each example's torchrun command by name."""
    scripts = [text for language, text in BLOCKS if language == "bash"]
    assert len(scripts) == 3, "one machine, two machines, Slurm"
    pods = of_kind("JobSet")["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]["spec"]
    sky = next(document for document in documents() if "run" in document)
    return {
        "one machine": words_of_script(scripts[0]),
        "two machines": words_of_script(scripts[1]),
        "Slurm": words_of_script(scripts[2]),
        "JobSet": words_of_container(pods["containers"][0]),
        "Kubeflow": words_of_container(of_kind("TrainJob")["spec"]["trainer"]),
        "SkyPilot": words_of_script(sky["run"]),
    }


def notebooks_call() -> tuple[str, list[str], dict]:
    """The page's own launch: program, its arguments, options."""
    code = next(text for language, text in BLOCKS if language == "python")
    call = next(
        node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call) and len(node.args) > 1
    )
    program, *words = [ast.literal_eval(argument) for argument in call.args]
    options = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
    return program, [str(word) for word in words], options


@pytest.mark.parametrize("name", list(commands()))
def test_every_example_runs_the_notebooks_program_with_its_arguments(name, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    program, words, options = notebooks_call()
    assert program == PROGRAM
    given = parse_args(commands()[name][1:])
    assert given.module
    assert given.training_script == program
    mine, theirs = (vars(train.arguments(list(part))) for part in (words, given.training_script_args))
    # Where the folder lies is each cluster's business; that there is one is not.
    assert mine.pop("checkpoint")
    assert theirs.pop("checkpoint").endswith("checkpoints")
    assert mine == theirs
    if name == "Kubeflow":  # the runtime says the rest, see PET_ below
        return
    config, command, _ = config_from_args(given)
    assert command == sys.executable
    assert config.max_restarts == options["restarts"]
    nodes = 1 if name == "one machine" else 2
    assert config.min_nodes == config.max_nodes == nodes
    assert nodes * config.nproc_per_node == options["workers"]
    if nodes == 2:
        assert config.rdzv_backend == "c10d"
        assert config.rdzv_endpoint.endswith(":29400")
        assert config.run_id in {"pooling", "77"}


def test_torchrun_takes_from_the_environment_what_kubeflow_leaves_out(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PET_NNODES", "2")
    monkeypatch.setenv("PET_NPROC_PER_NODE", "2")
    monkeypatch.setenv("PET_NODE_RANK", "1")
    monkeypatch.setenv("PET_MASTER_ADDR", "pooling-node-0-0.pooling")
    monkeypatch.setenv("PET_MASTER_PORT", "29400")
    job = of_kind("TrainJob")["spec"]["trainer"]
    given = parse_args(commands()["Kubeflow"][1:])
    config, _, _ = config_from_args(given)
    assert (config.max_nodes, config.nproc_per_node) == (job["numNodes"], job["numProcPerNode"])
    assert config.rdzv_endpoint == "pooling-node-0-0.pooling:29400"


def test_every_example_keeps_restarts_from_calling_the_dead():
    flag = "TORCH_DISABLE_SHARE_RDZV_TCP_STORE"
    for language, text in BLOCKS:
        if language == "bash":
            assert f"export {flag}=1" in text
    pods = of_kind("JobSet")["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]["spec"]
    for container in (pods["containers"][0], of_kind("TrainJob")["spec"]["trainer"]):
        assert {"name": flag, "value": "1"} in container["env"]
    assert f"export {flag}=1" in next(document for document in documents() if "run" in document)["run"]


def test_the_pods_meet_at_the_first_of_them():
    """JobSet names its pods after itself, the replicated job, the job's number and the pod's number."""
    document = of_kind("JobSet")
    name, (job,) = document["metadata"]["name"], document["spec"]["replicatedJobs"]
    address = parse_args(commands()["JobSet"][1:]).rdzv_endpoint
    assert address.partition(":")[0] == f"{name}-{job['name']}-0-0.{name}"
    work = job["template"]["spec"]
    assert job["replicas"] == 1
    assert work["parallelism"] == work["completions"] == 2
    assert work["completionMode"] == "Indexed"
    volumes = {volume["name"] for volume in work["template"]["spec"]["volumes"]}
    assert {mount["name"] for mount in work["template"]["spec"]["containers"][0]["volumeMounts"]} <= volumes


def test_slurm_starts_one_agent_on_each_machine():
    script = next(text for language, text in BLOCKS if language == "bash" and "#SBATCH" in text)
    asked = dict(re.findall(r"^#SBATCH --([\w-]+)=(\S+)$", script, re.M))
    assert asked["nodes"] == "2"
    assert asked["ntasks-per-node"] == "1"
    assert script.startswith("#!/bin/bash\n#SBATCH")
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0


def test_the_scripts_are_well_formed():
    scripts = [text for language, text in BLOCKS if language == "bash"]
    scripts += [next(document for document in documents() if "run" in document)["run"]]
    for script in scripts:
        assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0


def test_the_chapter_runs_the_same_program():
    chapter = ROOT / "chapters" / "07-pooling-chips.ipynb"
    code = [cell.source for cell in nbformat.read(chapter, 4).cells if cell.cell_type == "code"]
    assert any(PROGRAM in source for source in code)


def test_two_agents_of_two_workers_with_the_pages_own_line(tmp_path):
    """The line for two machines as it stands on the page, run twice, with the loopback interface between."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = commands()["two machines"]
    words = [
        word.replace("first.example.org:29400", f"127.0.0.1:{port}")
        .replace("/shared/checkpoints", str(tmp_path))
        .replace("--rdzv-id=pooling", f"--rdzv-id=pooling-{port}")
        for word in words
    ]
    words = ["12" if before == "--steps" else word for before, word in zip(["", *words], words, strict=False)]
    environment = os.environ | {
        "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1", "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo",
    }  # fmt: skip
    agents = [
        subprocess.Popen(
            [sys.executable, "-m", "torch.distributed.run", "--local-addr=127.0.0.1", *words[1:]],
            env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    try:
        printed = [agent.communicate(timeout=90)[0] for agent in agents]
    finally:
        for agent in agents:
            if agent.poll() is None:
                os.killpg(agent.pid, signal.SIGTERM)
                agent.wait(40)
    assert [agent.returncode for agent in agents] == [0, 0]
    told = [[json.loads(line) for line in text.splitlines() if line.startswith("{")] for text in printed]
    # Two workers on each "machine", four in all.
    assert sorted(sorted({record["rank"] for record in records}) for records in told) == [[0, 1], [2, 3]]
    steps = {
        record["step"]: record["loss"] for records in told for record in records if record["kind"] == "step"
    }
    assert sorted(steps) == list(range(12))
    _, arguments, _ = notebooks_call()
    arguments[arguments.index("--checkpoint") + 1] = tmp_path / "other"
    arguments[arguments.index("--steps") + 1] = 12
    mine = {step["step"]: step["loss"] for step in launch(PROGRAM, *arguments, workers=4).of("step")}
    assert steps == mine
