"""A model as one file that explains itself: a zip of `model.safetensors`, the weights, and `model.json`, everything else.

Nothing in it is executed when it is read: no pickle, no expression, and of the archive two members by name. `model.json` holds
what `madad.methods.registry` builds the method from, and everything that has to happen to an image before and after it
(docs/how-to/model_files.md lists the keys). A file of weights to start trainings from (`madad model bundle`) says nothing of
images.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

from madad.core.errors import UserError
from madad.core.provenance import complete

FORMAT, VERSION = "madad model", 1
ABOUT, WEIGHTS = "model.json", "model.safetensors"
# A description is text of some kilobytes; what is larger is none.
LARGEST_ABOUT = 20_000_000
# Of every file; and of those that can be applied to an image.
OF_WEIGHTS = {
    "format",
    "format_version",
    "name",
    "base",
    "title",
    "modality",
    "seed",
    "build",
    "training_options",
    "training_data",
    "metrics",
    "weights",
    "code",
    "licence",
    "intended_use",
}
OF_IMAGES = {"preprocessing", "grid", "intensity_model", "postprocessing", "thresholds", "threshold", "seen"}
# So that equal models are equal files.
TIME = (1980, 1, 1, 0, 0, 0)

About = dict[str, Any]


def write(path: Path, about: About, weights: Path) -> None:
    """Write a model.

    Args:
        path: the zip file.
        about: the keys of `OF_WEIGHTS` without `format` and `format_version`, and others; `weights` is completed with the
            name and hash of the file.
        weights: file of `madad.engine.model_files.save_model`.
    """
    content = weights.read_bytes()
    known = {"file": WEIGHTS, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    whole = {**about, "format": FORMAT, "format_version": VERSION, "weights": {**about["weights"], **known}}
    missing = OF_WEIGHTS - whole.keys()
    if missing:
        raise ValueError(f"the description of a model lacks {', '.join(sorted(missing))}")
    text = json.dumps(whole, indent=2, sort_keys=True, allow_nan=False) + "\n"
    with complete(path) as partial, zipfile.ZipFile(partial, "w") as archive:
        for name, data in ((ABOUT, text.encode()), (WEIGHTS, content)):
            entry = zipfile.ZipInfo(name, TIME)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)


def read_about(path: Path) -> About:
    """Return the description of a model that can be applied to images.

    Raises:
        UserError: as `read_start`, or a file of weights to start from.
    """
    about = read_start(path)
    missing = sorted(OF_IMAGES - about.keys())
    if missing == sorted(OF_IMAGES):
        raise UserError(
            f"{path}: holds weights to start a training from (initial_weights), and not how images are prepared for them; give a "
            "file of `madad model export`, or a name that `madad model info` lists for scans"
        )
    if missing:
        raise UserError(f"{path}: its {ABOUT} lacks {', '.join(missing)}; export the model again")
    return about


def read_start(path: Path) -> About:
    """Return the description of a model whose weights a training can start from.

    Raises:
        UserError: no such file, no model of this project, of a newer format, or incomplete.
    """
    data = _member(path, ABOUT)
    try:
        about = json.loads(data)
    except ValueError as error:
        raise UserError(f"{path}: its {ABOUT} is not JSON ({error}); ask for the file again") from None
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise UserError(f"{path}: its {ABOUT} describes no model of madad; give a file of `madad model export`")
    if about.get("format_version") != VERSION:
        raise UserError(
            f"{path}: is of format {about.get('format_version')}, this version of madad reads {VERSION}; install the version in "
            "its `code`"
        )
    missing = sorted(OF_WEIGHTS - about.keys())
    if missing:
        raise UserError(f"{path}: its {ABOUT} lacks {', '.join(missing)}; export the model again")
    return about


def read_weights(path: Path) -> bytes:
    """Return the bytes of the weights, after their hash has been compared with the description.

    Raises:
        UserError: as `read_start`, or the weights are not those that are described.
    """
    about, content = read_start(path), _member(path, WEIGHTS)
    if hashlib.sha256(content).hexdigest() != about["weights"]["sha256"]:
        raise UserError(f"{path}: its weights are not those that its {ABOUT} describes (another SHA-256); ask for the file again")
    return content


def _member(path: Path, name: str) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive:
            if name == ABOUT and archive.getinfo(name).file_size > LARGEST_ABOUT:
                raise UserError(f"{path}: its {ABOUT} is larger than {LARGEST_ABOUT / 1e6:.0f} MB, which no description is")
            return archive.read(name)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; export a model with `madad model export`") from None
    except KeyError:
        raise UserError(f"{path}: has no {name}; give a file of `madad model export`") from None
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise UserError(f"{path}: is not a readable zip file ({error}); ask for the file again") from None
