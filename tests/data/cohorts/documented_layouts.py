"""The layouts that docs/reference/bids.md shows, with what the summary prints of each.

    python -m tests.data.cohorts.documented_layouts

prints that part of the page again, to be pasted where a change was intended.
"""

from __future__ import annotations

import re
import tempfile
import textwrap
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from madad.data.cohorts.finding import summary
from madad.data.cohorts.finding.understanding import read_cohort
from tests.data.cohorts.small_cohorts import write_image
from tests.data.cohorts.small_trees import options_of

RANGE = re.compile(r"\[(\d)-(\d)\]")


@dataclass(frozen=True)
class Layout:
    """A folder as it is shown.

    Attributes:
        title: heading.
        about: a sentence on what is read.
        name: of the cohort and its folder.
        files: paths, in which [1-4] stands for each of these numbers.
        kind: of cohort.
        modalities: sequences that the run uses.
        options: of the cohort, as YAML and as values.
        table: lines of participants.tsv, with spaces for tabs.
    """

    title: str
    about: str
    name: str
    files: tuple[str, ...]
    kind: str = "bids"
    modalities: tuple[str, ...] = ("T1w",)
    options: dict = field(default_factory=dict)
    table: tuple[str, ...] = ()


LAYOUTS = (
    Layout(
        "Plain BIDS",
        "The table says who is healthy; lesion masks lie in a derivative. `sub-06` is in neither, so it is not used.",
        "study",
        ("sub-0[1-6]/anat/sub-0[1-6]_T1w.nii.gz", "derivatives/lesions/sub-0[4-5]/anat/sub-0[4-5]_label-lesion_mask.nii.gz"),
        options={"columns": {"group": "diagnosis"}, "healthy_values": ["CN"]},
        table=(
            "participant_id age sex diagnosis",
            "sub-01 61 F CN",
            "sub-02 70 M CN",
            "sub-03 66 F CN",
            "sub-04 72 M MS",
            "sub-05 58 F MS",
        ),
    ),
    Layout(
        "Derivatives as a root",
        "The output of fMRIPrep, read as it is: the preprocessed image in the scanner's space with the brain mask beside it; its "
        "twin in a template's space is not used. A folder of FreeSurfer (`sub-01/mri/orig.mgz`, `brainmask.mgz`) is read alike.",
        "fmriprep",
        (
            "sub-0[1-3]/anat/sub-0[1-3]_desc-preproc_T1w.nii.gz",
            "sub-0[1-3]/anat/sub-0[1-3]_desc-brain_mask.nii.gz",
            "sub-0[1-3]/anat/sub-0[1-3]_space-MNI152NLin2009cAsym_desc-preproc_T1w.nii.gz",
            "sub-0[1-3]/anat/sub-0[1-3]_space-MNI152NLin2009cAsym_desc-brain_mask.nii.gz",
            "sub-0[1-3]/anat/sub-0[1-3]_dseg.nii.gz",
        ),
        options={"group": "healthy", "skull_strip": "given"},
    ),
    Layout(
        "Like ATLAS",
        "Every subject is a patient; the kind knows the names.",
        "atlas",
        tuple(
            f"Training/R001/sub-r001s00[1-4]/ses-1/anat/sub-r001s00[1-4]_ses-1_space-MNI152NLin2009aSym_{what}.nii.gz"
            for what in ("T1w", "label-L_desc-T1lesion_mask")
        ),
        kind="atlas",
    ),
    Layout(
        "Like BraTS",
        "The labels lie beside the images.",
        "brats",
        tuple(f"BraTS2021_0000[1-4]/BraTS2021_0000[1-4]_{what}.nii.gz" for what in ("flair", "t1", "t2", "seg")),
        kind="brats",
        modalities=("FLAIR",),
    ),
    Layout(
        "Two sessions",
        "A lesion mask in one session makes its subject a patient in both; the session without a mask has no reference. All "
        "sessions of a subject are in one split.",
        "visits",
        (
            "sub-0[1-4]/ses-1/anat/sub-0[1-4]_ses-1_FLAIR.nii.gz",
            "sub-0[3-4]/ses-2/anat/sub-0[3-4]_ses-2_FLAIR.nii.gz",
            "sub-0[3-4]/ses-2/anat/sub-0[3-4]_ses-2_label-lesion_mask.nii.gz",
        ),
        modalities=("FLAIR",),
        options={"group": "by_mask"},
    ),
    Layout(
        "Several runs and acquisitions",
        "The filter chooses the acquisition; of its runs the first is used.",
        "repeats",
        (
            "sub-0[1-3]/anat/sub-0[1-3]_acq-highres_run-1_T1w.nii.gz",
            "sub-0[1-3]/anat/sub-0[1-3]_acq-highres_run-2_T1w.nii.gz",
            "sub-0[1-3]/anat/sub-0[1-3]_acq-localizer_T1w.nii.gz",
        ),
        options={"group": "healthy", "filters": {"T1w": {"acq": "highres"}}},
    ),
)


def write(layout: Layout, root: Path) -> None:
    """Write the files of a layout, images of noise."""
    for pattern in layout.files:
        low, high = map(int, RANGE.search(pattern).groups())
        for number in range(low, high + 1):
            path = root / RANGE.sub(str(number), pattern)
            write_image(path, zlib.crc32(path.name.encode()))
    if layout.table:
        lines = (line.replace(" ", "\t") for line in layout.table)
        (root / "participants.tsv").write_text("\n".join(lines) + "\n")


def printed(layout: Layout, root: Path) -> list[str]:
    """Return what the summary of a layout prints, with the folder called as in the page."""
    options = options_of(layout.kind, **layout.options)
    reading = read_cohort(layout.kind, root, options, list(layout.modalities), "files")
    found = summary.facts(reading, root, layout.kind, options["group"])
    return [line.replace(str(root), f"/data/{layout.name}") for line in summary.lines(layout.name, found)]


def section(layout: Layout, root: Path) -> str:
    """Return the part of the page on a layout."""
    table = ["participants.tsv:", *(f"  {line}" for line in layout.table)] if layout.table else []
    given = ", ".join(f"{key}: {_yaml(value)}" for key, value in layout.options.items())
    options = f"{{kind: {layout.kind}, root: /data/{layout.name}{', ' if given else ''}{given}}}"
    blocks = ["\n".join([*layout.files, *table]), f"cohorts:\n  {layout.name}: {options}", "\n".join(printed(layout, root))]
    files, yaml, told = blocks
    head = f"### {layout.title}\n\n{textwrap.fill(layout.about, 128)}"
    return f"{head}\n\n```\n{files}\n```\n\n```yaml\n{yaml}\n```\n\n```\n{told}\n```\n"


def _yaml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_yaml(one)}" for key, one in value.items()) + "}"
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)


def main() -> None:
    """Print the part of the page."""
    for layout in LAYOUTS:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / layout.name
            write(layout, root)
            print(section(layout, root))


if __name__ == "__main__":
    main()
