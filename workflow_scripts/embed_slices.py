"""Make the embedded cohort of real slices, `madad/data/cohorts/soop_slices.npz`, from the 1 mm slices that it is a part of.

    python workflow_scripts/embed_slices.py SLICES --out madad/data/cohorts

SLICES is a BIDS folder of single axial FLAIR slices with lesion masks under `derivatives/lesion-masks`
(`madad/data/cohorts/soop_slices.md` says where they come from). Which ones are taken is drawn by a seed, never by a look.
"""

from __future__ import annotations

import argparse
import csv
import io
from pathlib import Path

import numpy as np

from madad.core.io.volumes import load_image
from madad.core.seeds import numpy_generator

HEALTHY, PATIENTS = 320, 150
# mm2 of lesion in the slice; smaller ones are hardly visible.
LEAST_LESION = 50
# The 157 x 189 voxels of 1 mm are padded to these sides, by one voxel in front, and averaged two by two.
SIDES = (160, 192)
COLUMNS = ("participant_id", "group", "lesion_kind", "age", "sex", "prior_stroke")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("slices", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    chosen = choose(read_people(arguments.slices / "participants.tsv"))
    halved = [halve(*read_slice(arguments.slices, person["participant_id"])) for person in chosen]
    np.savez_compressed(
        arguments.out / "soop_slices.npz",
        subjects=np.array([person["participant_id"] for person in chosen]),
        images=np.stack([image for image, _ in halved]),
        lesions=np.packbits(np.stack([lesion for _, lesion in halved]), axis=-1),
        affine=np.diag([2.0, 2.0, 1.0, 1.0]) + np.array([[0, 0, 0, -78.5], [0, 0, 0, -112.5], [0, 0, 0, 18.0], [0, 0, 0, 0]]),
    )
    (arguments.out / "soop_slices.tsv").write_text(as_table(chosen))


def read_people(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t"))


def choose(people: list[dict[str, str]]) -> list[dict[str, str]]:
    """Draw the slices: lesion-free ones, and ones with a visible lesion."""
    healthy = [person for person in people if person["group"] == "healthy"]
    patients = [person for person in people if person["group"] == "patient" and float(person["lesion_px"]) >= LEAST_LESION]
    drawn = []
    for members, count in ((healthy, HEALTHY), (patients, PATIENTS)):
        order = numpy_generator(0, "embedded slices", members[0]["group"]).permutation(len(members))
        drawn += [members[index] for index in order[:count]]
    return sorted(drawn, key=lambda person: person["participant_id"])


def read_slice(root: Path, subject: str) -> tuple[np.ndarray, np.ndarray]:
    """Return a slice and its lesion mask, both (W, H); the mask is empty where there is no file."""
    image = load_image(root / subject / "anat" / f"{subject}_FLAIR.nii.gz").array[..., 0]
    masks = sorted((root / "derivatives" / "lesion-masks" / subject).rglob("*.nii.gz"))
    lesion = load_image(masks[0]).array[..., 0] > 0 if masks else np.zeros(image.shape, dtype=bool)
    return image, lesion


def halve(image: np.ndarray, lesion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both at 2 mm: the mean of the brain's voxels where they are at least half, and the lesion where it is."""
    values, brain = blocks(image), blocks((image > 0).astype(float))
    mean = np.where(brain >= 0.5, values / np.maximum(brain, 1e-9), 0)
    return np.clip(np.round(mean), 0, 255).astype(np.uint8), (blocks(lesion.astype(float)) >= 0.5) & (brain >= 0.5)


def blocks(array: np.ndarray) -> np.ndarray:
    """Return the means of blocks of two by two voxels of the padded slice."""
    padded = np.pad(array, [(1, side - size - 1) for side, size in zip(SIDES, array.shape, strict=True)])
    return padded.reshape(SIDES[0] // 2, 2, SIDES[1] // 2, 2).mean(axis=(1, 3))


def as_table(people: list[dict[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, delimiter="\t", lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(people)
    return text.getvalue()


if __name__ == "__main__":
    main()
