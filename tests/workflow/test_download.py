"""A data set is fetched by the run's first job, taken up where a connection broke off, and fetched once."""

from __future__ import annotations

import hashlib
import io
import struct
import tarfile
from pathlib import Path

import nibabel as nib
import numpy as np

from madad.core.io.manifest import read_manifest
from tests.data.cohorts.small_site import Site, serving
from tests.workflow.conftest import Project

MANIFEST = "results/cohorts/healthy/manifest.tsv"
MD5 = {"IXI-T1.tar": "34901a0593b41dd19c1a1f746eac2d58", "IXI.xls": "066002afe250e4375d132266fcfceac5"}


def images(folder: Path, subjects: int = 6) -> bytes:
    """An archive of small images, without folders, as IXI's are."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for number in range(subjects):
            path = folder / f"IXI{number:03d}-HH-{1200 + number}-T1.nii.gz"
            array = np.random.default_rng(number).integers(0, 99, (9, 9, 9), dtype=np.int16)
            nib.save(nib.Nifti1Image(array, np.eye(4)), path)
            tar.add(path, path.name)
    return stream.getvalue()


def table() -> bytes:
    """An Excel table of its header alone."""
    names = [b"IXI_ID", b"SEX_ID (1=m, 2=f)", b"AGE"]
    cells = [struct.pack("<HH3xB", 0, column, len(name)) + name for column, name in enumerate(names)]
    records = [(0x09, struct.pack("<HH", 2, 0x10)), *((0x04, cell) for cell in cells), (0x0A, b"")]
    return b"".join(struct.pack("<HH", kind, len(content)) + content for kind, content in records)


def test_data_are_fetched_once_and_then_listed(project: Project, tmp_path: Path) -> None:
    files = {"IXI-T1.tar": images(tmp_path), "IXI.xls": table()}
    card = project.folder / "madad" / "data" / "cohorts" / "ixi.yaml"
    text = card.read_text(encoding="utf-8")
    for name, sum_of_the_real_one in MD5.items():
        assert sum_of_the_real_one in text
        text = text.replace(sum_of_the_real_one, hashlib.md5(files[name]).hexdigest())
    card.write_text(text, encoding="utf-8")
    with serving(Site(files, cuts=[1000])) as site:
        cohort = f"healthy: {{kind: ixi, download: true, mirror: '{site.address}'}}"
        config = (
            "preset=smoke",
            f"cohorts={{{cohort}}}",
            "train_on=[healthy]",
            "test_on=[healthy-implanted]",
            "modalities=[T1w]",
        )
        done = project.run("--cores", "1", MANIFEST, config=config)
        assert done.returncode == 0, done.stdout[-4000:]
        assert site.asked == ["", "bytes=1000-", ""]
        rows = read_manifest(project.folder / MANIFEST)
        assert {row["subject"] for row in rows} == {f"sub-IXI{number:03d}" for number in range(6)}
        assert all(row["path"].startswith("results/downloads/healthy/IXI-T1/") for row in rows)
        assert project.jobs(MANIFEST, config=config) == {}
        assert len(site.asked) == 3
