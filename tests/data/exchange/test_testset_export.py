"""What is handed out: images, brain masks and names, and nothing from which the truth follows."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from madad.core.errors import UserError
from madad.core.io.hdf5 import Pack
from madad.core.io.manifest import read_table
from madad.data.exchange.case_names import case_name
from madad.data.exchange.testset_export import export_testset
from tests.evaluation.cases import Case


def test_every_image_and_mask_is_there_on_its_grid(case: Case, packs: list[Pack], tmp_path: Path) -> None:
    export_testset(case.packs, tmp_path / "out")
    for pack in packs:
        for index in range(len(pack)):
            for kind, array in (("images", pack.image(index)), ("brains", pack.brain(index))):
                image = nib.load(tmp_path / "out" / kind / f"{case_name(pack, index)}.nii.gz")
                assert np.array_equal(np.asarray(image.dataobj).transpose(2, 1, 0), array)
                assert np.allclose(image.affine, pack.affine)
    assert len(list((tmp_path / "out/images").iterdir())) == sum(map(len, packs))
    about = json.loads((tmp_path / "out/testset.json").read_text())
    assert about["shape"] == list(packs[0].shape[::-1]) and about["modality"] == "T1w"


def test_no_file_tells_the_truth(case: Case, tmp_path: Path) -> None:
    export_testset(case.packs, tmp_path / "out")
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert {path.parent.name for path in files} == {"images", "brains", "out"}
    words = " ".join([*map(str, files), *(path.read_text() for path in files if path.suffix in (".tsv", ".json"))])
    for telling in ("sub-", "healthy", "patient", "lesion_ml", "group"):
        assert telling not in words.replace(str(tmp_path), "")
    rows = read_table(tmp_path / "out/cases.tsv")
    assert set(rows[0]) == {"case", "split"} and [row["case"] for row in rows[1:]] == sorted(row["case"] for row in rows[1:])


def test_names_change_with_the_truth_alone(case: Case, packs: list[Pack]) -> None:
    before = case_name(packs[1], 0)
    assert before == case_name(packs[1], 0)
    case.samples["test"][2].lesion[:] = False
    case.packs[1] = case.packs[1].with_name("other.h5")
    case.write_packs()
    with Pack(case.packs[1]) as changed:
        assert case_name(changed, 0) != before, "a name that is a hash of the subject's name alone could be guessed"


def test_a_folder_in_use_is_refused(case: Case, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/old.nii.gz").touch()
    with pytest.raises(UserError, match="is not empty"):
        export_testset(case.packs, tmp_path / "out")
