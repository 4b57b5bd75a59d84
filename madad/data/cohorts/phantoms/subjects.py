"""The phantom's subjects: every number about a person is drawn once, recorded, and used deterministically."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from madad.core.seeds import numpy_generator
from madad.core.shapes import Vector3, vector3

KINDS = ("tumour", "ms", "stroke", "wmh")
# Ages in years in which each group is seen.
AGES = {"healthy": (20, 80), "tumour": (30, 76), "ms": (20, 60), "stroke": (45, 85), "wmh": (55, 86)}
SITES = ("A", "B", "C")


@dataclass(frozen=True)
class Recipe:
    """One subject in numbers.

    Attributes:
        subject: BIDS label, `sub-H001` (healthy) or `sub-P001` (patient).
        kind: lesion kind, empty when healthy.
        age: age in years.
        sex: "F" or "M".
        site: name of the scanner.
        scale: size of the head relative to the template along R, A, S.
        ventricles_mm: displacement of the walls of the ventricles outwards.
        sulci: log-odds added to fluid in the cortex.
        gap_mm: mean thickness of the fluid around the brain.
        skull_mm: mean thickness of the skull.
        scalp_mm: mean thickness of the scalp.
        warp_mm: amplitudes of the velocity field at 48, 20 and 10 mm.
        angles_deg: rotation of the head in the scanner about its three axes.
        shift_mm: translation of the head in the scanner.
        noise: standard deviation of the complex noise relative to white matter.
        bias: log-amplitude of the bias field.
        grey_contrast: contrast of grey and white matter relative to the mean over subjects.
    """

    subject: str
    kind: str
    age: float
    sex: str
    site: str
    scale: Vector3
    ventricles_mm: float
    sulci: float
    gap_mm: float
    skull_mm: float
    scalp_mm: float
    warp_mm: Vector3
    angles_deg: Vector3
    shift_mm: Vector3
    noise: float
    bias: float
    grey_contrast: float

    @property
    def group(self) -> str:
        return "patient" if self.kind else "healthy"

    def participant(self) -> dict[str, str]:
        """Return the subject's row of participants.tsv."""
        row = {"participant_id": self.subject, "age": f"{self.age:.1f}", "sex": self.sex, "group": self.group}
        return row | {"site": self.site, "lesion_kind": self.kind or "n/a"}

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def recipes(healthy: int, patients: int, seed: int) -> list[Recipe]:
    """Draw the subjects of a cohort. A subject does not depend on the number of the others."""
    people = [draw(seed, f"sub-H{i:03d}", "") for i in range(1, healthy + 1)]
    return people + [draw(seed, f"sub-P{i:03d}", KINDS[(i - 1) % len(KINDS)]) for i in range(1, patients + 1)]


def draw(seed: int, subject: str, kind: str) -> Recipe:
    """Draw one person.

    Ventricles and sulci widen with age, ever faster (Scahill et al. 2003, doi:10.1001/archneur.60.7.989).
    """
    rng = numpy_generator(seed, "phantom", subject, "recipe")
    age = float(rng.uniform(*AGES[kind or "healthy"]))
    sex = "F" if rng.random() < 0.5 else "M"
    old = max(age - 25, 0) / 50
    # The template is about 8 % larger than an average head in every direction.
    size = (0.94 if sex == "M" else 0.90) + 0.018 * rng.standard_normal()
    return Recipe(
        subject=subject,
        kind=kind,
        age=round(age, 1),
        sex=sex,
        site=str(rng.choice(SITES)),
        scale=vector3(size * np.array([0.97, 1.02, 1.0]) * (1 + 0.025 * rng.standard_normal(3))),
        ventricles_mm=float(-0.7 + 2.6 * old**1.5 + 0.7 * rng.standard_normal()),
        sulci=float(-0.3 + 1.1 * old + 0.3 * rng.standard_normal()),
        gap_mm=float(1.2 + 1.8 * old + rng.uniform(0, 0.8)),
        skull_mm=float(rng.uniform(5.0, 7.5)),
        scalp_mm=float(rng.uniform(2.5, 5.5)),
        warp_mm=vector3(np.array([3.0, 1.6, 0.9]) * rng.uniform(0.75, 1.25, 3)),
        angles_deg=vector3(rng.normal(0, [7.0, 4.0, 4.0])),
        shift_mm=vector3(rng.normal(0, 6.0, 3)),
        noise=float(rng.uniform(0.012, 0.035)),
        bias=float(rng.uniform(0.08, 0.2)),
        grey_contrast=float(rng.uniform(0.85, 1.2) * (1 - 0.15 * old)),
    )
