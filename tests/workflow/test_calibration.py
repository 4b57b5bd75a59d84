"""Test sets of another cohort than the one trained on: its healthy validation subjects stand ready for the thresholds."""

from __future__ import annotations

import pytest

from tests.workflow.conftest import Project, choose

pytestmark = pytest.mark.slow

TWO = """
cohorts: {second: {kind: phantom, seed: 5}}
train_on: [phantom, second]
test_on: [second-implanted, phantom]
seeds: [0, 1]
"""


def test_every_run_on_another_cohort_is_calibrated_once(project: Project) -> None:
    choose(project, ["intensity", "ddpm"])
    (project.folder / "mine.yaml").write_text(TWO)
    jobs = project.jobs("--configfile", "mine.yaml")
    # two training cohorts; two seeds of ddpm and one of intensity, which learns nothing
    assert jobs["calibrate"] == 2 * (2 + 1) and jobs["infer"] == 2 * jobs["calibrate"]


def test_own_cohort_needs_no_calibration(project: Project) -> None:
    assert "calibrate" not in project.jobs()


def test_calibration_reaches_the_evaluation(project: Project) -> None:
    choose(project, ["intensity"])
    (project.folder / "mine.yaml").write_text(TWO)
    done = project.run("-n", "--printshellcmds", "--configfile", "mine.yaml")
    calls = [line for line in done.stdout.splitlines() if "madad stage evaluate" in line]
    other = [line for line in calls if "--cohort second" in line and "--testset phantom " in line]
    own = [line for line in calls if "--cohort second" in line and "--testset second-implanted" in line]
    run = "results/runs/second/FLAIR/intensity/seed0"
    given = f"--calibration-maps {run}/calibration/maps.h5 --calibration-pack results/packs/second/FLAIR/validation.h5 --out"
    assert len(other) == len(own) == 1
    assert given in other[0] and "--calibration-maps --calibration-pack --out" in " ".join(own[0].split())
