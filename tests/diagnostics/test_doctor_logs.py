"""Findings of the doctor in the logs of the real runs of docs/results/doctor.md."""

import pathlib
import re

import pytest

from harness import ROOT
from keras_gans.benchmarks import doctor
from keras_gans.diagnostics import rules

pytestmark = pytest.mark.jax  # and under TensorFlow

LOGS = pathlib.Path(__file__).parent / "doctor_logs"


@pytest.fixture(scope="module")
def recorded():
    """{name: findings} of the recorded logs."""
    names = doctor.runs()
    assert {path.stem for path in LOGS.iterdir()} == set(names)
    return {name: doctor.findings(f"{LOGS / name}.jsonl") for name in names}


def test_each_diagnosis_is_made_of_the_run_that_is_broken_so(recorded):
    assert list(doctor.BROKEN) == list(rules.DIAGNOSES)
    for name in rules.DIAGNOSES:
        assert name in recorded[f"broken_{name.replace(' ', '_')}"]


def test_nothing_is_said_of_healthy_runs(recorded):
    healthy = {k: v for k, v in recorded.items() if k.startswith("healthy_")}
    assert healthy and not any(healthy.values()), healthy


def test_page_of_the_docs_is_made_of_these_logs(recorded):
    page = (ROOT / "docs/results" / doctor.PAGE).read_text()
    machine = re.search(r"--out=runs/doctor`:\s(.*?)\. A\scell", page, re.S)[1]
    assert doctor.page(recorded, machine) == page
