from __future__ import annotations

from pathlib import Path

from madad.data.preprocessing import derivative_names
from tests.data.preprocessing.conftest import row


def test_names_are_bids_derivatives() -> None:
    files = derivative_names.derivatives(Path("x"), row("sub-01", Path("a"), session="ses-2", modality="FLAIR"))
    assert files["image"] == Path("x/sub-01_ses-2/sub-01_ses-2_space-MNI152_desc-brain_FLAIR.nii.gz")


def test_modalities_never_share_a_file() -> None:
    first, second = (derivative_names.derivatives(Path("x"), row("sub-01", Path("a"), modality=m)) for m in ("T1w", "T2w"))
    assert not set(first.values()) & set(second.values())
