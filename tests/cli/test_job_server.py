"""Light jobs become forks of one process that has the libraries loaded."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from madad.cli.job_server import Server
from madad.core import job_client

pytestmark = pytest.mark.skipif(not job_client.is_possible(), reason="needs Linux 5.3 or newer")

SERVER = """
import sys
from madad.cli import job_server
from madad.core import job_client
server = job_server.Server(*job_client.place_of(sys.argv[1]), int(sys.argv[2]), libraries=["json"])
print("ready", flush=True)
job = server.run()
sys.exit(0 if job is None else job_server.become(job))
"""


class Run:
    """The process of a run with its environment, and the pipe that ends it."""

    def __init__(self) -> None:
        self.address = f"madad-test-{secrets.token_hex(8)}:word"
        end, self.pipe = os.pipe()
        command = [sys.executable, "-c", SERVER, self.address, str(end)]
        surroundings = {**os.environ, "PYTHONPATH": os.getcwd()}  # as in a run, whose jobs work in another folder
        self.process = subprocess.Popen(command, env=surroundings, pass_fds=[end], stdout=subprocess.PIPE)
        os.close(end)
        assert self.process.stdout.readline() == b"ready\n"
        self.environment = {**os.environ, job_client.VARIABLE: self.address}

    def job(self, *arguments: str, **options: object) -> subprocess.Popen:
        command = [sys.executable, "-m", "madad", *arguments]
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        return subprocess.Popen(command, **{"env": self.environment, "text": True, **pipes, **options})

    def end(self) -> None:
        if self.pipe is not None:
            os.close(self.pipe)
            self.pipe = None


@pytest.fixture
def run() -> Generator[Run]:
    started = Run()
    yield started
    started.end()
    assert started.process.wait(20) == 0


def call(function: str, **arguments: object) -> str:
    return json.dumps({"function": function, "arguments": arguments})


def parent_and_result(run: Run, tmp_path: Path, environment: dict[str, str]) -> str:
    out = tmp_path / "here.txt"
    done = run.job("stage", "deliver", "--log", str(tmp_path / "log"), cwd=tmp_path, env=environment)
    # the command line of the parent tells who has made the process
    _, error = done.communicate(call("tests.cli.test_job_server:write_surroundings", out="here.txt"))
    assert done.returncode == 0, error
    return out.read_text()


def write_surroundings(out: str) -> None:
    Path(out).write_text(f"{os.getppid()} {os.environ.get('WORD')} {sys.argv[1:3]}")


def test_job_is_a_fork_with_its_own_folder_and_environment(run: Run, tmp_path: Path) -> None:
    found = parent_and_result(run, tmp_path, {**run.environment, "WORD": "mine", "PYTHONPATH": os.getcwd()})
    assert found == f"{run.process.pid} mine ['stage', 'deliver']"


@pytest.mark.parametrize("change", [{job_client.VARIABLE: "no-such-process:word"}, {"OMP_NUM_THREADS": "7"}])
def test_job_works_alone_where_no_process_fits(run: Run, tmp_path: Path, change: dict[str, str]) -> None:
    found = parent_and_result(run, tmp_path, {**run.environment, "PYTHONPATH": os.getcwd(), **change})
    assert int(found.split()[0]) != run.process.pid


def test_what_a_job_says_and_how_it_ends_is_passed_on(run: Run, tmp_path: Path) -> None:
    wrong = run.job("stage", "verdicts", "--nonsense")
    assert wrong.communicate()[1].count("--nonsense") == 1
    assert wrong.returncode == 2
    log = tmp_path / "log"
    failed = run.job("stage", "provenance", "--options", "{}", "--out", str(tmp_path / "no" / "such"), "--log", str(log))
    error = failed.communicate()[1]
    alone = run.job(*failed.args[3:], env=os.environ)
    assert (error, failed.returncode) == (alone.communicate()[1], alone.returncode)


def asleep(tmp_path: Path) -> str:
    return call("tests.cli.test_job_server:sleep", out=str(tmp_path / "process"))


def sleep(out: str) -> None:
    part = Path(f"{out}.part")
    part.write_text(str(os.getpid()))
    part.rename(out)
    time.sleep(120)


def started(run: Run, tmp_path: Path) -> tuple[subprocess.Popen, int]:
    job = run.job("stage", "deliver", env={**run.environment, "PYTHONPATH": os.getcwd()})
    job.stdin.write(asleep(tmp_path))
    job.stdin.close()
    until(lambda: (tmp_path / "process").exists())
    return job, int((tmp_path / "process").read_text())


def until(true: object) -> None:
    for _ in range(600):
        if true():
            return
        time.sleep(0.1)
    raise AssertionError("did not happen within a minute")


def gone(process: int) -> bool:
    return not Path(f"/proc/{process}").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_job_that_is_stopped_stops_the_process_behind_it(run: Run, tmp_path: Path, number: int) -> None:
    # tests that run in the background of a shell ignore SIGINT, and so would what they start
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    job, process = started(run, tmp_path)
    signal.signal(signal.SIGINT, before)
    assert process != job.pid
    job.send_signal(number)
    assert job.wait(60) != 0
    until(lambda: gone(process))


def test_job_ends_by_the_signal_that_ended_the_process_behind_it(run: Run, tmp_path: Path) -> None:
    job, process = started(run, tmp_path)
    os.kill(process, signal.SIGKILL)
    assert job.wait(60) == -signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_of_a_process_that_is_ended_itself(tmp_path: Path, number: int) -> None:
    run = Run()
    job, process = started(run, tmp_path)
    run.process.send_signal(number)
    assert job.wait(60) == 1
    until(lambda: gone(process))
    run.end()


def test_who_does_not_know_the_word_is_not_served(run: Run, tmp_path: Path) -> None:
    place = run.address.replace(":word", ":guess")
    found = parent_and_result(run, tmp_path, {**run.environment, "PYTHONPATH": os.getcwd(), job_client.VARIABLE: place})
    assert int(found.split()[0]) != run.process.pid


def test_a_job_that_ignores_ctrl_c_goes_on_ignoring_it(run: Run, tmp_path: Path) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        job, process = started(run, tmp_path)
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    os.kill(process, signal.SIGINT)
    job.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert job.poll() is None and not gone(process)
    job.terminate()
    assert job.wait(60) == -signal.SIGTERM


def test_end_of_the_run_ends_its_jobs(tmp_path: Path) -> None:
    run = Run()
    job, process = started(run, tmp_path)
    run.end()
    assert run.process.wait(60) == 0
    assert job.wait(60) != 0
    until(lambda: gone(process))


def test_strangers_are_not_served(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.setattr(job_client, "user_of", lambda connection: os.getuid() + 1)
    monkeypatch.setenv(job_client.VARIABLE, run.address)
    assert job_client.handed_over(["stage", "deliver"]) is None


def test_only_light_steps_are_handed_over(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.setenv(job_client.VARIABLE, run.address)
    assert [job_client.handed_over(words) for words in (["stage", "train"], ["run"], [])] == [None] * 3


def test_listed_steps_exist() -> None:
    from madad.cli.main import parser

    steps = next(action for action in parser()._actions if action.dest == "command").choices["stage"].steps
    assert set(steps) >= job_client.STEPS


def test_server_is_told_of_the_end(tmp_path: Path) -> None:
    end, pipe = os.pipe()
    server = Server(f"madad-test-{secrets.token_hex(8)}", "word", end, libraries=[])
    os.close(pipe)
    assert server.run() is None
