"""The wheel works alone: built, installed beside no clone, it runs the workflow in an empty folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.documentation.installed_files import missing_from

ROOT = Path(__file__).resolve().parents[2]
SMALL = ("--config", "preset=smoke", "methods=[intensity]", "train_on=[soop]", "test_on=[soop]")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel; what madad depends on is that of this environment, found through its path alone."""
    folder = tmp_path_factory.mktemp("wheel")
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(lambda name: (ROOT / name).is_file(), listed.stdout.splitlines()):
        (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / "source" / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(folder / "source")]
    subprocess.run(build, check=True)
    venv.create(folder / "env", symlinks=True)
    site = next((folder / "env/lib").iterdir()) / "site-packages"
    wheel = next(folder.glob("*.whl"))
    subprocess.run([*pip, "--python", str(folder / "env/bin/python"), "install", "--no-deps", str(wheel)], check=True)
    # a path in a file adds packages, but not the link to this clone that an editable installation has
    (site / "shared.pth").write_text(sysconfig.get_path("purelib"))
    return folder / "env"


def madad(installed: Path, folder: Path, *arguments: str) -> str:
    surroundings = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV", "MADAD_PATH")}
    surroundings |= {"PATH": "/usr/bin:/bin", "MADAD_DEVICE": "cpu"}
    command = [str(installed / "bin/madad"), *arguments]
    done = subprocess.run(command, cwd=folder, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


def test_the_wheel_holds_all_files(installed: Path) -> None:
    site = next((installed / "lib").iterdir()) / "site-packages"
    assert missing_from(site, "madad") == []


def test_a_dry_run_in_an_empty_folder_is_that_of_the_clone(installed: Path, tmp_path: Path) -> None:
    told = madad(installed, tmp_path, "run", "-n", *SMALL)
    assert str(installed) in told and str(ROOT) not in told
    command = [sys.executable, "-m", "madad", "run", "-n", "--directory", str(tmp_path), *SMALL]
    clone = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    jobs = [re.findall(r"^ +\d+  .+$", text, re.M) for text in (told, clone)]
    assert len(jobs[0]) > 5 and jobs[0] == jobs[1]


def test_jobs_run_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    pack = "results/packs/soop/FLAIR/test.h5"
    madad(installed, tmp_path, "run", pack, "--cores", "2", *SMALL)
    assert (tmp_path / pack).stat().st_size > 10_000
    assert "Nothing to be done" in madad(installed, tmp_path, "run", "-n", pack, *SMALL)
