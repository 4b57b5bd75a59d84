from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from madad.core.errors import UserError
from madad.core.io.hdf5 import Maps, Pack, Prediction, Sample, write_maps, write_pack

SHAPE = (3, 4, 5)


def sample(name: str, group: str = "healthy") -> Sample:
    generator = np.random.default_rng(len(name))
    image = generator.random(SHAPE, dtype=np.float32)
    return Sample(name, group, image, image > 0.2, image > 0.9, {"age": 31.5, "sex": "F"})


def pack(path: Path, *samples: Sample) -> Path:
    write_pack(path, iter(samples), affine=np.diag([3.0, 2.0, 1.0, 1.0]), modality="T1w", cohort="c", split="test")
    return path


def prediction(name: str, reconstruction: bool = True) -> Prediction:
    array = np.full(SHAPE, 0.25)
    return Prediction(name, "test", array, array + 1 if reconstruction else None, 1.5, 100.0)


def test_pack_comes_back(tmp_path: Path) -> None:
    first, second = sample("sub-1"), sample("sub-20", "patient")
    with Pack(pack(tmp_path / "p.h5", first, second)) as stored:
        assert len(stored) == 2 and stored.shape == SHAPE and stored.healthy() == [0]
        assert stored.spacing_mm == (1, 2, 3)
        back = stored.sample(1)
    assert back.name == "sub-20" and back.covariates == second.covariates
    for key in ("image", "brain", "lesion"):
        assert np.array_equal(getattr(back, key), getattr(second, key))


def test_empty_pack_can_be_read(tmp_path: Path) -> None:
    with Pack(pack(tmp_path / "p.h5")) as stored:
        assert len(stored) == 0 and stored.shape == (0, 0, 0)


def test_content_hash_follows_the_content(tmp_path: Path) -> None:
    def content(*samples: Sample) -> str:
        with Pack(pack(tmp_path / "p.h5", *samples)) as stored:
            return stored.content

    assert content(sample("sub-1")) == content(sample("sub-1")) != content(sample("sub-2x"))


def test_names_must_differ(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not unique"):
        pack(tmp_path / "p.h5", sample("sub-1"), sample("sub-1"))
    assert not list(tmp_path.iterdir()), "a failed write leaves nothing behind"


def test_maps_come_back_by_name(tmp_path: Path) -> None:
    write_maps(tmp_path / "m.h5", iter([prediction("a"), prediction("b")]), {"method": "x"})
    with Maps(tmp_path / "m.h5") as maps:
        assert maps.row("test", "b") == 1 and maps.attributes == {"method": "x"}
        assert maps.anomaly_map(1).dtype == np.float32 and maps.reconstruction(0).max() == 1.25
        with pytest.raises(UserError, match="no map of c"):
            maps.row("test", "c")


def test_maps_without_reconstruction(tmp_path: Path) -> None:
    write_maps(tmp_path / "m.h5", iter([prediction("a", reconstruction=False)]), {})
    with Maps(tmp_path / "m.h5") as maps:
        assert not maps.has_reconstruction and maps.reconstruction(0) is None


def test_huge_values_stay_finite_in_half_precision(tmp_path: Path) -> None:
    write_maps(tmp_path / "m.h5", iter([Prediction("a", "test", np.full(SHAPE, 1e6), None, 0, 0)]), {})
    with Maps(tmp_path / "m.h5") as maps:
        assert np.isfinite(maps.anomaly_map(0)).all()


@pytest.mark.parametrize("content", [None, b"not hdf5"])
def test_missing_or_damaged_store_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "p.h5"
    if content:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"p\.h5"):
        Pack(path)


def test_one_slice_lies_in_one_chunk(tmp_path: Path) -> None:
    with h5py.File(pack(tmp_path / "p.h5", sample("sub-1"))) as store:
        assert store["image"].chunks == (1, 1, 4, 5)
