"""Random BIDS folders, most of them with faults that real ones have, and what must never be concluded from them.

    python -m tests.data.cohorts.fuzzed_trees 2000

makes so many folders, reads each, and prints what became of them. A wrong group is one against the truth that was drawn: a
patient as healthy, or a healthy subject as a patient. Everything else (a refusal, an unknown subject, one that is left out by
name) is allowed, as it is seen.
"""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np

from madad.core.errors import UserError
from madad.data.cohorts import bids
from madad.data.cohorts.finding.manifest_rows import read
from tests.data.cohorts.small_cohorts import READ

LABELS = ("0{}", "00{}", "{}", "lesion{}", "control{}", "wmh0{}", "brainmask{}", "T1w{}", "HC{}", "ms0{}x")
MASK_NAMES = (
    *("label-lesion_mask", "label-lesion_roi", "FLAIR_lesion-manual", "Lesion_mask", "lesionmask", "desc-lesion_dseg"),
    *("space-orig_label-L_desc-T1lesion_mask", "label-WMH_mask", "dseg", "mask", "manual", "seg", "annotation"),
)
MASK_FOLDERS = ("{0}/anat", "derivatives/lesions/{0}/anat", "derivatives/m/{0}", "labels", "derivatives/Lesion/raters/a/{0}")
NOISE = (
    *("derivatives/fmriprep/{0}/anat/{0}_desc-brain_mask", "derivatives/fmriprep/{0}/anat/{0}_dseg", "{0}/dwi/{0}_dwi"),
    *("derivatives/fmriprep/{0}/anat/{0}_label-GM_probseg", "{0}/anat/{0}_T2w", "derivatives/wmh_tool/{0}/{0}_mask"),
    *("sourcedata/{0}/{0}_label-lesion_mask", "derivatives/x/{0}/{0}_acq-lesion_mask", "{0}/anat/{0}_desc-lesionfilled_T1w"),
)
HEALTHY = ("control", "HC", "CN", "healthy", "Control")
PATIENT = ("patient", "MS", "AD", "stroke", "1")
SHAPE = (4, 4, 4)


@dataclass
class Made:
    """A folder and the truth about it.

    Attributes:
        root: the folder.
        ill: the truth about every subject.
        marked: patients with a mask that marks something, by their file.
    """

    root: Path
    ill: dict[str, bool] = field(default_factory=dict)
    marked: dict[str, Path] = field(default_factory=dict)


def write(path: Path, draw: random.Random, filled: bool = True) -> None:
    """Write a small image, each its own, or an empty mask."""
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.frombuffer(draw.randbytes(64), np.uint8).reshape(SHAPE) if filled else np.zeros(SHAPE, np.uint8)
    path.write_bytes(nib.Nifti1Image(array, np.diag([2.0, 2, 2, 1])).to_bytes())


def make(root: Path, seed: int) -> Made:
    """Write a folder of three to seven subjects."""
    draw = random.Random(seed)
    made, label = Made(root), draw.choice(LABELS)
    mask_name, mask_folder = draw.choice(MASK_NAMES), draw.choice(MASK_FOLDERS)
    empty_for_controls, sessions = draw.random() < 0.3, draw.choice(((), (), ("ses-1", "ses-2")))
    for number in range(1, draw.randint(4, 8)):
        subject = f"sub-{label.format(number)}"
        made.ill[subject] = draw.random() < 0.5
        for session in sessions or ("",):
            name = f"{subject}_{session}" if session else subject
            folder = root / subject / session / "anat"
            write(folder / f"{name}_FLAIR.nii", draw)
            if draw.random() < 0.3:
                write(folder / f"{name}_{draw.choice(('run-2', 'acq-x', 'part-phase', 'space-MNI'))}_FLAIR.nii", draw)
        for noise in draw.sample(NOISE, draw.randint(0, 3)):
            write(root / f"{noise.format(subject)}.nii", draw)
        if (made.ill[subject] and draw.random() < 0.9) or (not made.ill[subject] and empty_for_controls):
            path = root / mask_folder.format(subject) / f"{subject}_{mask_name}.nii"
            filled = made.ill[subject] and draw.random() < 0.9
            write(path, draw, filled)
            if filled:
                made.marked[subject] = path
    _link_some(made, draw)
    if draw.random() < 0.6:
        _write_table(made, draw)
    return made


def _link_some(made: Made, draw: random.Random) -> None:
    """Move a folder elsewhere and link to it."""
    if draw.random() < 0.4:
        folders = sorted(path for path in made.root.rglob("*") if path.is_dir())
        chosen = draw.choice(folders)
        disk = made.root.parent / "disk"
        shutil.move(chosen, disk)
        chosen.symlink_to(disk)


def _write_table(made: Made, draw: random.Random) -> None:
    """Write participants.tsv, with one fault at most."""
    healthy, patient = draw.choice(HEALTHY), draw.choice(PATIENT)
    column = draw.choice(("group", "group", "Group", "diagnosis"))
    rows = [["participant_id", "age", column]]
    for subject, ill in made.ill.items():
        word = "n/a" if draw.random() < 0.1 else patient if ill else healthy
        rows.append([draw.choice((subject, subject.removeprefix("sub-"))), str(draw.randint(20, 80)), word])
    fault = draw.choice(("", "", "", "", "id", "twice", "swallow", "quotes", "short", "shuffle", "lost", "column"))
    chosen = draw.randrange(1, len(rows))
    if fault == "id":
        rows[chosen][0] = rows[chosen][0].replace("sub-", "sub-0")[:-1] + "9"
    elif fault == "twice":
        rows.append([rows[chosen][0], "50", draw.choice((healthy, patient))])
    elif fault == "swallow":
        rows[chosen][1] = '"' + rows[chosen][1]
    elif fault == "quotes":
        rows = [[f'"{cell}"' for cell in row] for row in rows]
    elif fault == "short":
        rows[chosen].pop()
    elif fault == "shuffle":
        rows[1:] = draw.sample(rows[1:], len(rows) - 1)
    elif fault == "lost":
        del rows[chosen]
    elif fault == "column":
        rows = [[*row, draw.choice((healthy, patient)) if number else column] for number, row in enumerate(rows)]
    end = draw.choice(("\n", "\r\n"))
    text = draw.choice(("", "\ufeff")) + end.join("\t".join(row) for row in rows) + draw.choice(("", end))
    (made.root / "participants.tsv").write_bytes(text.encode())


def judge(made: Made) -> Counter[str]:
    """Read a folder and count what became of its subjects.

    Keys that begin with "wrong" must not occur: a group against the truth, a subject that is gone without a word, a subject of
    unknown group in a split, or another subject's mask.
    """
    try:
        found = read(bids.find, made.root, READ, ["FLAIR"])
    except UserError:
        return Counter({"refused": 1})
    counts = Counter({"read": 1})
    named = {row["subject"] for row in found.excluded}
    rows = {row["subject"]: row for row in found.rows}
    for subject, ill in made.ill.items():
        row = rows.get(subject)
        if row is None:
            counts["left out" if subject in named else "wrong: gone without a word"] += 1
            continue
        right = row["group"] == ("patient" if ill else "healthy")
        state = "right" if right else "unknown" if row["group"] == "unknown" else f"wrong: {row['group']} is {ill=}"
        counts[state] += 1
        counts["wrong: unknown in a split"] += (row["group"] == "unknown") != (row["split"] == "none")
        counts["wrong: healthy without evidence"] += row["group"] != "unknown" and not row["evidence"]
        counts["wrong: a mask of another"] += bool(row["lesion_mask"]) and Path(row["lesion_mask"]) != made.marked.get(subject)
    return +counts


def fuzz(seed: int) -> Counter[str]:
    """Make, read and remove one folder."""
    with tempfile.TemporaryDirectory() as folder:
        return judge(make(Path(folder) / "data", seed))


def main(number: int) -> None:
    """Print what became of so many folders, and the seeds of those that were read wrongly."""
    total: Counter[str] = Counter()
    for seed in range(number):
        counts = fuzz(seed)
        total += counts
        if any(key.startswith("wrong") for key in counts):
            print(f"seed {seed}: {dict(counts)}")
    print(f"{number} folders: {dict(total)}")


if __name__ == "__main__":
    main(int(sys.argv[1]))
