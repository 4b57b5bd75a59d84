from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from madad.core.errors import UserError
from madad.core.io.hdf5 import Pack, write_pack
from madad.core.io.manifest import read_table
from madad.data.anomalies.implanted import NUMBERS, TEXTS, implant_pack, recipes
from tests.data.anomalies.conftest import GENERATOR, SPACING_MM

OPTIONS = {
    "volumes_ml": [5.0, 10.0],
    "contrasts": [0.2],
    "sign": "auto",
    "sites": ["cortical", "white_matter"],
    "per_subject": 2,
    "seed": 0,
    "generator": GENERATOR,
    "grid": {"spacing_mm": SPACING_MM},
}


@pytest.fixture(scope="module")
def implanted(tmp_path_factory: pytest.TempPathFactory, packs: dict[str, Path]) -> Path:
    folder = tmp_path_factory.mktemp("implanted")
    implant_pack(packs["FLAIR"], folder / "test.h5", folder / "test.tsv", OPTIONS)
    return folder


def test_every_healthy_subject_comes_plain_and_with_its_lesions(implanted: Path) -> None:
    with Pack(implanted / "test.h5") as pack:
        assert pack.groups == ["healthy", "implanted", "implanted"] * 2 and pack.cohort == "toy-implanted"
        assert pack.names[:3] == ["sub-0", "sub-0_lesion-01", "sub-0_lesion-02"]
        for index, group in enumerate(pack.groups):
            assert pack.lesion(index).any() == (group == "implanted")


def test_table_says_what_was_implanted(implanted: Path) -> None:
    rows = read_table(implanted / "test.tsv")
    assert tuple(rows[0]) == (*TEXTS, *NUMBERS) and len(rows) == 4
    with Pack(implanted / "test.h5") as pack:
        for row in rows:
            index = pack.names.index(row["name"])
            lesion, change = pack.lesion(index), pack.image(index) - pack.image(pack.names.index(row["subject"]))
            assert float(row["measured_volume_ml"]) == pytest.approx(lesion.sum() * 0.216, rel=1e-3)
            assert float(row["measured_volume_ml"]) == pytest.approx(float(row["volume_ml"]), abs=0.12)
            assert float(row["measured_contrast"]) == pytest.approx(change[lesion].mean(), abs=1e-3)
            assert pack.covariates[index]["implant_site"] == row["site"] and pack.covariates[index]["implant_sign"] == 1


def test_lesion_brighter_than_the_normal_range_keeps_its_contrast(packs: dict[str, Path], tmp_path: Path) -> None:
    implant_pack(packs["FLAIR"], tmp_path / "test.h5", tmp_path / "test.tsv", {**OPTIONS, "contrasts": [0.5]})
    rows = read_table(tmp_path / "test.tsv")
    with Pack(tmp_path / "test.h5") as pack:
        for row in rows:
            index, base = pack.names.index(row["name"]), pack.names.index(row["subject"])
            lesion, image, healthy = pack.lesion(index), pack.image(index), pack.image(base)
            assert (image - healthy)[lesion].mean() == pytest.approx(0.5, abs=2e-3)
            assert float(row["measured_contrast"]) == pytest.approx(0.5, abs=2e-3)
            shown = (image.clip(0, 1) - healthy.clip(0, 1))[lesion].mean()
            assert float(row["seen_contrast"]) == pytest.approx(shown, abs=1e-3) and shown < 0.45
            assert float(row["saturated"]) == pytest.approx((image[lesion] >= 1).mean(), abs=1e-3)
            assert pack.covariates[index]["implant_seen_contrast"] == float(row["seen_contrast"])


def test_lesions_lie_in_the_brain_and_images_are_healthy_elsewhere(implanted: Path) -> None:
    with Pack(implanted / "test.h5") as pack:
        for index in (1, 2):
            assert not (pack.lesion(index) & ~pack.brain(index)).any()
            unchanged = pack.image(index) == pack.image(0)
            assert unchanged.mean() > 0.9 and unchanged[~pack.brain(index)].all()


def test_same_options_same_bytes(implanted: Path, packs: dict[str, Path], tmp_path: Path) -> None:
    implant_pack(packs["FLAIR"], tmp_path / "test.h5", tmp_path / "test.tsv", OPTIONS)
    with Pack(tmp_path / "test.h5") as again, Pack(implanted / "test.h5") as before:
        assert again.content == before.content


def test_grid_is_balanced() -> None:
    drawn = recipes({**OPTIONS, "contrasts": [0.1, 0.3]}, [1, -1], 37, np.random.default_rng(0))
    counts = Counter(drawn)
    assert len(counts) == 2 * 2 * 2 * 2 and set(counts.values()) == {2, 3}


def test_pack_without_healthy_subjects_is_refused_by_name(packs: dict[str, Path], tmp_path: Path) -> None:
    with Pack(packs["T1w"]) as pack:
        patient = pack.sample(2)
        write_pack(tmp_path / "ill.h5", iter([patient]), affine=pack.affine, modality="T1w", cohort="toy", split="test")
    with pytest.raises(UserError, match=r"ill\.h5: no healthy subject"):
        implant_pack(tmp_path / "ill.h5", tmp_path / "o.h5", tmp_path / "o.tsv", OPTIONS)


def test_folder_of_masks_that_is_not_there(packs: dict[str, Path], tmp_path: Path) -> None:
    options = {**OPTIONS, "generator": {**GENERATOR, "lesion_masks": str(tmp_path / "nowhere")}}
    with pytest.raises(UserError, match="nowhere"):
        implant_pack(packs["T1w"], tmp_path / "o.h5", tmp_path / "o.tsv", options)
    assert not (tmp_path / "o.h5").exists()
