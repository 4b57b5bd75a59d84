"""Models that come with madad and can be applied to scans, by name; those to start trainings from are elsewhere."""

from __future__ import annotations

from pathlib import Path

from madad.configuration import initial_weights
from madad.core.errors import UserError, did_you_mean
from madad.core.io import model_archive

FOLDER = Path(__file__).parent / "models"


def paths() -> list[Path]:
    """Return the files of these models, sorted by name: `<method>_<training cohort>_<sequence>.zip`."""
    return sorted(FOLDER.glob("*.zip"))


def find(model: str | Path) -> Path:
    """Return the file that a path or a name means.

    Args:
        model: a file, or the name of a bundled model or of its method, such as `atlas_z`.

    Raises:
        UserError: a name of no model, or of several.
    """
    path, name = Path(model), str(model)
    if path.exists() or path.suffix == ".zip" or path.name != name:
        return path
    known = [one for one in paths() if name in (one.stem, model_archive.read_start(one)["name"])]
    if len(known) == 1:
        return known[0]
    stems = [one.stem for one in paths()]
    if known:
        raise UserError(f"{name}: could be {' or '.join(one.stem for one in known)}; give the whole name")
    if any(name in (start.stem, model_archive.read_start(start)["base"]) for start in initial_weights.bundled()):
        raise UserError(
            f"{name}: comes with madad as weights to start a training from, and is no model for scans: it does not say how "
            f"images are prepared. For scans there is {' or '.join(stems)}; to make one, train on scans of your own and give the "
            "file that `madad model export` makes of the run"
        )
    close = did_you_mean(name, stems)
    raise UserError(f"{name}: no such file, and no model of this name comes with madad{close}; there are {', '.join(stems)}")
