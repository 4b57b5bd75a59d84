"""The SLURM profile on a real SLURM, which runs on this machine for the time of the tests.

Ten minutes on two quiet cores, so only when asked for: MADAD_TEST_SLURM=1 pytest tests/workflow/test_real_slurm.py
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.slurm import cluster
from tests.workflow.conftest import LATE, SMOKE, Project, choose, copy_project

pytest.importorskip("snakemake_executor_plugin_slurm")
MISSING = cluster.missing()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("real slurm"),
    pytest.mark.skipif(bool(MISSING), reason=f"no SLURM here ({', '.join(MISSING)}): {cluster.INSTALL}"),
    pytest.mark.skipif(not os.environ.get("MADAD_TEST_SLURM"), reason="ten minutes; set MADAD_TEST_SLURM=1"),
]

RUN = "results/runs/phantom/FLAIR/ddpm/seed0"
TARGET = f"{RUN}/train.json"
TRAINING_LOG = "results/logs/train/phantom/FLAIR/ddpm/seed0.log"
# Long enough to be caught in the middle, a checkpoint after every step; on one core of a node that claims to have sixteen.
METHOD = "method_options={{ddpm: {{training: {{steps: {}, checkpoint_every_s: 0}}, resources: {{threads: 1, gpu: 1}}}}}}"
LONG = (*SMOKE, METHOD.format(60))
ENDLESS = (*SMOKE, METHOD.format(100_000))
PROFILE = ("--workflow-profile", "profiles/slurm", "--slurm-init-seconds-before-status-checks", "5")


@dataclass(frozen=True)
class Clustered(Project):
    """A working copy whose jobs go to a cluster.

    Attributes:
        slurm: the cluster's folder.
    """

    slurm: Path = Path()

    def environment(self) -> dict[str, str]:
        own = super().environment()
        there = cluster.environment(self.slurm)
        return {**there, **own, "PATH": f"{own['PATH'].split(os.pathsep)[0]}{os.pathsep}{there['PATH']}"}

    def ask(self, *command: str) -> str:
        """What one of SLURM's commands says."""
        return subprocess.run(command, env=self.environment(), capture_output=True, text=True, timeout=60, check=True).stdout

    def start(self, log: Path, *arguments: str, config: tuple[str, ...] = LONG) -> subprocess.Popen:
        """Train through SLURM in the background."""
        command = [*self.command(TARGET, *PROFILE, *arguments), "--config", *config]
        with open(log, "w") as stream:
            return subprocess.Popen(
                command, cwd=self.folder, env=self.environment(), stdout=stream, stderr=stream, start_new_session=True
            )

    def trainer(self) -> psutil.Process:
        """The process that trains in this copy, wherever SLURM has put it."""
        for process in psutil.process_iter(["cmdline", "cwd"]):
            words = process.info["cmdline"] or []
            if words[1:5] == ["-m", "madad", "stage", "train"] and process.info["cwd"] == str(self.folder):
                return process
        raise AssertionError("nothing trains")

    def jobs_alive(self) -> list[str]:
        """Numbers of the submissions that wait or run."""
        return self.ask("squeue", "--noheader", "--format=%i", "--states=PENDING,RUNNING,COMPLETING").split()


@pytest.fixture(scope="module")
def slurm() -> Iterator[Path]:
    with cluster.running() as folder:
        yield folder


@pytest.fixture(scope="module")
def ended(slurm: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Clustered, str]:
    """The smoke preset, run to its end through SLURM, and what Snakemake said."""
    project = Clustered(copy_project(tmp_path_factory.mktemp("slurm") / "project").folder, slurm)
    choose(project, ["intensity", "ddpm", "late"], late=LATE)
    profile = project.folder / "profiles/slurm/profile.yaml"
    profile.write_text(profile.read_text().replace("# slurm-partition-config", "slurm-partition-config"))
    done = project.run(*PROFILE)
    assert done.returncode == 0, done.stdout[-6000:]
    return project, done.stdout


def test_smoke_preset_ends(ended: tuple[Clustered, str]) -> None:
    project, _ = ended
    assert (project.folder / "results/tables/headline.csv").stat().st_size > 0
    assert (project.folder / "results/figures/comparison.png").stat().st_size > 0
    again = project.run("-n", *PROFILE)
    assert "Nothing to be done" in again.stdout, again.stdout[-3000:]


def test_few_submissions_with_what_they_need(ended: tuple[Clustered, str]) -> None:
    project, said = ended
    submitted = re.findall(r"has been submitted with SLURM jobid (\d+) \(log: .*/logs/slurm/(.+)/\d+\.log\)", said)
    kinds = [kind for _, kind in submitted]
    assert sum(kind.startswith("group_report") for kind in kinds) == 1
    assert sum(kind.startswith("rule_train") for kind in kinds) == 2  # `late` shares that of ddpm, on Snakemake's own machine
    assert (project.folder / "results/runs/phantom/FLAIR/late/seed0/train.json").exists()
    jobs = int(re.search(r"^total +(\d+)$", said, re.M).group(1))
    assert len(submitted) <= 20 < 60 < jobs, (kinds, jobs)

    columns = "JobID,Partition,ReqCPUS,ReqMem,TimelimitRaw,ReqTRES,State"
    rows = project.ask("sacct", "-X", "-n", "-P", f"--format={columns}").splitlines()
    asked = {row.split("|")[0]: row.split("|")[1:] for row in rows}
    numbers = {kind: number for number, kind in submitted}
    assert all(asked[number][5] == "COMPLETED" for number, _ in submitted)
    report = asked[next(numbers[kind] for kind in kinds if kind.startswith("group_report"))]
    train = asked[numbers["rule_train/phantom_FLAIR_ddpm_0"]]
    assert train[0] == "gpu" and "gres/gpu=1" in train[4] and train[2:4] == ["16000M", "720"], train
    assert report[0] == "cpu" and "gres" not in report[4], report
    # one after the other: the memory of the largest, the time of all
    assert report[1:3] == ["1", "4000M"] and 60 < int(report[3]) <= 24 * 60, report


def test_logs_are_where_the_documentation_says(ended: tuple[Clustered, str]) -> None:
    project, _ = ended
    assert "training" in (project.folder / TRAINING_LOG).read_text()
    assert list((project.folder / "results/logs/slurm").rglob("*.log")) == [], "submissions that ended well leave no log"


def test_a_job_sees_the_gpu_it_was_given_alone(slurm: Path) -> None:
    command = ["srun", "-p", "gpu", "--gpus=1", "printenv", "CUDA_VISIBLE_DEVICES"]
    done = subprocess.run(command, env=cluster.environment(slurm), capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "0\n", done.stderr


@pytest.fixture(scope="module")
def undisturbed(ended: tuple[Clustered, str], tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Weights of the long training when nothing happens to it."""
    project = _untrained(ended[0], tmp_path_factory.mktemp("undisturbed"))
    log = project.folder / "said"
    assert project.start(log).wait(600) == 0, log.read_text()[-4000:]
    return (project.folder / RUN / "model.safetensors").read_bytes()


@pytest.fixture
def untrained(ended: tuple[Clustered, str], tmp_path: Path) -> Clustered:
    return _untrained(ended[0], tmp_path)


def _untrained(project: Clustered, folder: Path) -> Clustered:
    """A copy of the project without its trained model."""
    shutil.copytree(project.folder, folder / "copy", symlinks=True)
    shutil.rmtree(folder / "copy" / RUN)
    (folder / "copy" / TRAINING_LOG).unlink()
    return Clustered(folder / "copy", project.slurm)


def _wait(condition: Callable[[], object], seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.2)


def _checkpoint(project: Clustered) -> Path:
    return project.folder / "results/checkpoints/phantom/FLAIR/ddpm/seed0/checkpoint.pt"


def _killed(project: Clustered) -> None:
    """As the kernel does it when memory runs out."""
    project.trainer().kill()


def _told(project: Clustered) -> None:
    """As SLURM does it by `--signal=TERM@180`: to the steps of the submission, not to its script."""
    project.ask("scancel", "--signal=TERM", *project.jobs_alive())


def _requeued(project: Clustered) -> None:
    """As after a preemption; SLURM starts the same submission again, no sooner than two minutes later."""
    project.ask("scontrol", "requeue", *project.jobs_alive())


@pytest.mark.parametrize("harm", [_killed, _told, _requeued], ids=lambda harm: harm.__name__.strip("_"))
def test_training_goes_on_to_the_same_weights(untrained: Clustered, undisturbed: bytes, harm: Callable) -> None:
    said = untrained.folder / "said"
    process = untrained.start(said)
    _wait(_checkpoint(untrained).exists, 180, "a checkpoint")
    harm(untrained)
    assert process.wait(600) == 0, said.read_text()[-4000:]
    assert "resumes after step" in (untrained.folder / TRAINING_LOG).read_text()
    # the log of a failed attempt is shown before the next one begins it anew
    assert ("interrupted after step" in said.read_text()) >= (harm is _told)
    assert ("Trying to restart job" in said.read_text()) == (harm is not _requeued)
    assert (untrained.folder / RUN / "model.safetensors").read_bytes() == undisturbed


def test_time_limit_is_announced_to_the_training(untrained: Clustered) -> None:
    """By SLURM itself, which sends the profile's signal up to a minute too early."""
    said = untrained.folder / "said"
    limit = ("--set-resources", "train:runtime=6", "train:slurm_extra='--signal=TERM@180'", "--retries", "0")
    assert "--signal=TERM@180" in (untrained.folder / "profiles/slurm/profile.yaml").read_text()
    assert untrained.start(said, *limit, config=ENDLESS).wait(600) != 0
    assert "interrupted after step" in (untrained.folder / TRAINING_LOG).read_text(), said.read_text()[-4000:]
    assert _checkpoint(untrained).stat().st_size > 0
    assert "SLURM status is: 'FAILED'" in said.read_text(), "the job left by itself, before its time was up"


def _behead(project: Clustered) -> psutil.Process:
    """Start a training and kill Snakemake, the main one alone. Returns the process that trains on."""
    process = project.start(project.folder / "said")
    _wait(_checkpoint(project).exists, 180, "a checkpoint")
    trainer = project.trainer()
    trainer.suspend()  # so that it does not end before the test is ready for it
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert project.run("--unlock", TARGET, config=LONG).returncode == 0
    return trainer


def test_what_ends_after_the_death_of_snakemake_is_kept(untrained: Clustered, undisturbed: bytes) -> None:
    _behead(untrained).resume()
    _wait(lambda: not untrained.jobs_alive(), 180, "the end of the training")
    # the main process would have written down code and parameters; what there is belongs to the training before
    again = untrained.run("-n", TARGET, *PROFILE, "--rerun-triggers", "mtime", config=LONG)
    assert "Nothing to be done" in again.stdout, again.stdout[-3000:]
    assert (untrained.folder / RUN / "model.safetensors").read_bytes() == undisturbed


def test_second_training_after_the_death_of_snakemake_is_refused(untrained: Clustered, undisturbed: bytes) -> None:
    first = _behead(untrained)
    run_id = re.search(r"SLURM run ID: (\S+)", (untrained.folder / "said").read_text()).group(1)
    log = untrained.folder / "second"
    assert untrained.start(log, "--retries", "0").wait(300) != 0
    assert "has been training here since" in (untrained.folder / TRAINING_LOG).read_text(), log.read_text()[-4000:]

    first.resume()
    untrained.ask("scancel", f"--name={run_id}")
    _wait(lambda: not untrained.jobs_alive(), 90, "the end of the first training")
    assert untrained.start(log).wait(600) == 0, log.read_text()[-4000:]
    assert (untrained.folder / RUN / "model.safetensors").read_bytes() == undisturbed
