"""Whether a lesion mask is on both sides: behind what is trained on or chosen by, and in a test set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from madad.core.errors import UserError
from madad.core.io.hdf5 import Pack
from madad.core.io.hdf5_files import reading
from madad.core.io.manifest import read_table
from madad.data.anomalies.lesion_masks import Lesion, cropped, read_folder
from madad.data.anomalies.mask_split import bank_sources, same_lesion
from madad.evaluation.leakage.duplicate_images import SHOWN, Finding, rest

CHECK = "Lesion masks"


def lesion_masks(
    banks: Sequence[Path], implanted_tables: Sequence[Path], packs: Sequence[Path], folder: str | None
) -> Iterator[Finding]:
    """Compare the masks behind the bank, those behind implanted test sets, and the patients' own, by their voxels and places.

    Args:
        banks: files of the banks that methods learn from.
        implanted_tables: of the lesions of every implanted test set.
        packs: of the cohorts, every split that is used.
        folder: the folder of masks behind the banks, or None.

    Raises:
        UserError: one is on both sides.
    """
    trained, tested = bank_sources(banks), _implanted(implanted_tables)
    both = [f"{trained[digest]} ({name})" for digest, name in tested.items() if digest in trained]
    if both:
        raise UserError(
            f"{len(both)} lesion mask{'s' * (len(both) > 1)} shaped lesions to train on and lesions of a test set: "
            f"{'; '.join([*both[:SHOWN], *rest(both)])}. Delete results/banks and the packs of implanted test sets; run again"
        )
    found = f"{len(trained)} masks in the bank, {len(tested)} in test sets; none in both"
    yield Finding(CHECK, "bank and implanted test sets", found)
    earlier, test = _patients(packs, ("train", "validation"), banks), _patients(packs, ("test",), banks)
    used = [lesion for lesion in read_folder(folder) if lesion.digest in trained] if folder and trained else []
    _refuse(used, test, f"shapes of {folder}, from which synthetic lesions are made,", "take them out of anomalies.lesion_masks")
    _refuse(earlier, test, "lesions of training or validation subjects", "one person has two names: correct the cohorts")
    found = f"{len(used)} masks of the bank and {len(earlier)} of training and validation patients, {len(test)} of test patients"
    yield Finding(CHECK, "patients", f"{found}; none in two of them")


def _refuse(one: Sequence[Lesion], test: Sequence[Lesion], what: str, remedy: str) -> None:
    pairs = [f"{one[i].name} and {test[j].name}" for i, j in same_lesion(one, test)]
    if pairs:
        raise UserError(f"{what} are lesions of test subjects ({'; '.join([*pairs[:SHOWN], *rest(pairs)])}); {remedy}")


def _implanted(tables: Sequence[Path]) -> dict[str, str]:
    rows = [(row, Path(path)) for path in tables for row in read_table(path)]
    return {row["source_digest"]: f"{row['name']} of {path.parts[-3]}" for row, path in rows if row.get("source_digest")}


def _patients(packs: Sequence[Path], splits: Sequence[str], banks: Sequence[Path]) -> list[Lesion]:
    """Return the lesions of every patient in some splits; once, although several sequences show them."""
    found: dict[tuple[str, str], Lesion] = {}
    placement = _to_mni(banks)
    for path in packs:
        with Pack(path) as pack:
            for index, name in enumerate(pack.names if pack.split in splits else ()):
                if pack.groups[index] != "healthy" and (pack.cohort, name) not in found and (lesion := pack.lesion(index)).any():
                    called = Path(f"{name} ({pack.cohort} {pack.split})")
                    found[pack.cohort, name] = cropped(called, lesion.transpose(2, 1, 0), placement @ pack.affine)
    return list(found.values())


def _to_mni(banks: Sequence[Path]) -> np.ndarray:
    """Return the matrix from the world mm of the packs to MNI mm that a bank knows; where none does any common place will do."""
    for bank in banks:
        with reading(bank) as store:
            if "to_mni" in store.attrs:  # not of images that are not registered
                return np.asarray(store.attrs["to_mni"])
    return np.eye(4)
