"""Which changes of circumstance leave a model's bits alone: threads, hash seeds, processes, kernels of the processor.

| | trees | models on BLAS |
|---|---|---|
| another process, another hash seed | same digest | same digest |
| 1 or 2 threads | same digest | fitted on the declared number |
| another kernel of BLAS | same digest | another digest, answers within 1e-9; provenance names the kernel |
| killed and taken up again | same digest (`test_killed_fits.py`) | fitted whole |
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
# hash seed, threads, kernel of BLAS
PROCESSES = {
    "first": ("0", "1", "Haswell"),
    "again": ("4242", "2", "Haswell"),
    "older processor": ("7", "2", "Nehalem"),
}


@pytest.fixture(scope="module")
def told() -> dict[str, dict[str, Any]]:
    """What each process told, all started at once."""
    started = {}
    for name, (seed, threads, kernel) in PROCESSES.items():
        environment = {
            **os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": threads, "OPENBLAS_CORETYPE": kernel,
            "OMP_WAIT_POLICY": "passive",
        }  # fmt: skip
        command = [sys.executable, "-m", "mlops_assets_tests.stores.digests", threads]
        started[name] = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    answers = {name: process.communicate()[0] for name, process in started.items()}
    assert {name: process.returncode for name, process in started.items()} == dict.fromkeys(PROCESSES, 0)
    return {name: json.loads(answer) for name, answer in answers.items()}


@pytest.mark.parametrize("other", ["again", "older processor"])
def test_trees_and_a_whole_training_are_the_same_over_processes_hash_seeds_threads_and_kernels(
    told: dict[str, dict[str, Any]], other: str
) -> None:
    assert len(told["first"]["trees"]) == 11
    for name, one in told["first"]["trees"].items():
        assert one == told[other]["trees"][name], name


def test_models_on_blas_are_the_same_over_processes_and_hash_seeds(told: dict[str, dict[str, Any]]) -> None:
    assert told["first"]["kernels"] == told["again"]["kernels"]
    assert told["first"]["on BLAS"] == told["again"]["on BLAS"]


def test_where_models_on_blas_differ_the_kernels_are_named_and_the_answers_agree_within_a_billionth(
    told: dict[str, dict[str, Any]],
) -> None:
    one, other = told["first"], told["older processor"]
    if not any(kernel.endswith("Haswell") for kernel in one["kernels"]):
        pytest.skip(f"the kernel cannot be chosen here: {one['kernels']}")
    different = {name for name, made in one["on BLAS"].items() if made["digest"] != other["on BLAS"][name]["digest"]}

    assert "LogisticRegression" in different
    assert any(kernel.endswith("Nehalem") for kernel in other["kernels"])
    for name, made in one["on BLAS"].items():
        np.testing.assert_allclose(made["answers"], other["on BLAS"][name]["answers"], rtol=0, atol=1e-9)
