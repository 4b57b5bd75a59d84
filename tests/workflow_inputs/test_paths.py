"""Names of files."""

from __future__ import annotations

import pytest

from madad.workflow import paths

RUN = {"cohort": "ixi", "modality": "T2w", "method": "ddpm", "seed": "3", "testset": "brats"}


def test_files_of_a_run_lie_in_its_folder() -> None:
    assert paths.models([RUN]) == ["results/runs/ixi/T2w/ddpm/seed3/model.safetensors"]
    assert paths.metrics([RUN, {**RUN, "seed": "4"}])[1] == "results/runs/ixi/T2w/ddpm/seed4/eval/brats/metrics.tsv"


@pytest.mark.parametrize(
    ("testset", "splits"),
    [("ixi", ["validation", "test"]), ("ixi-implanted", ["validation", "test"]), ("ixi-corrupted", ["test"])],
)
def test_corrupted_test_sets_have_no_validation(testset: str, splits: list[str]) -> None:
    assert paths.packs(testset, "T2w") == [f"results/packs/{testset}/T2w/{split}.h5" for split in splits]


def test_one_file_per_shard() -> None:
    assert paths.shard_tables("ixi", "standard", 2) == [f"results/preprocessed/ixi/standard/shards/{n}-of-2.tsv" for n in (0, 1)]
    assert paths.bank("standard", 1) == ["results/banks/standard/0-of-1.h5"]
