"""A model as one file that explains itself: a zip of `model.safetensors`, the weights, and `model.json`, everything else.

Nothing in it is executed when it is read: no pickle, no expression, and of the archive two members by name. `model.json` holds
what `madad.methods.registry` builds the method from, and everything that has to happen to an image before and after it
(docs/model_files.md lists the keys).
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from madad.core.errors import UserError
from madad.core.provenance import complete

if TYPE_CHECKING:
    from torch import Tensor, nn

FORMAT, VERSION = "madad model", 1
ABOUT, WEIGHTS = "model.json", "model.safetensors"
# A description is text of some kilobytes; what is larger is none.
LARGEST_ABOUT = 20_000_000
KEYS = {
    "format",
    "format_version",
    "name",
    "base",
    "title",
    "modality",
    "seed",
    "build",
    "training_options",
    "preprocessing",
    "grid",
    "intensity_model",
    "postprocessing",
    "thresholds",
    "threshold",
    "training_data",
    "seen",
    "metrics",
    "weights",
    "code",
    "licence",
    "intended_use",
}
# So that equal models are equal files.
TIME = (1980, 1, 1, 0, 0, 0)

About = dict[str, Any]


def write(path: Path, about: About, weights: Path) -> None:
    """Write a model.

    Args:
        path: the zip file.
        about: every key of `KEYS` but `format`, `format_version`; `weights` is completed with the name and hash of the file.
        weights: file of `madad.engine.model_files.save_model`.
    """
    content = weights.read_bytes()
    known = {"file": WEIGHTS, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    whole = {**about, "format": FORMAT, "format_version": VERSION, "weights": {**about["weights"], **known}}
    missing = KEYS - whole.keys()
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
    """Return the description of a model.

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
    missing = sorted(KEYS - about.keys())
    if missing:
        raise UserError(f"{path}: its {ABOUT} lacks {', '.join(missing)}; export the model again")
    return about


def read_weights(path: Path) -> bytes:
    """Return the bytes of the weights, after their hash has been compared with the description.

    Raises:
        UserError: as `read_about`, or the weights are not those that are described.
    """
    about, content = read_about(path), _member(path, WEIGHTS)
    if hashlib.sha256(content).hexdigest() != about["weights"]["sha256"]:
        raise UserError(f"{path}: its weights are not those that its {ABOUT} describes (another SHA-256); ask for the file again")
    return content


def build(path: Path) -> tuple[nn.Module, About]:
    """Return the method of a model with its weights, ready to be applied on the CPU, and the description.

    Raises:
        UserError: as `read_weights`, or the method does not exist here or has other settings than the model knows.
    """
    from safetensors.torch import load

    from madad.configuration import cards
    from madad.engine.model_files import load_weights
    from madad.methods import registry

    about = read_about(path)
    options = about["build"]
    known = set(cards.load(options["base"])["parameters"])
    if known != set(options["parameters"]):
        differing = ", ".join(sorted(known ^ set(options["parameters"])))
        raise UserError(
            f"{path}: {options['base']} has other settings in this version of madad ({differing}); install commit "
            f"{about['code'].get('commit', 'unknown')}"
        )
    method = registry.assemble(options, int(about["seed"]))
    weights: dict[str, Tensor] = load(read_weights(path))
    try:
        load_weights(method, weights)
    except RuntimeError as error:
        raise UserError(
            f"{path}: the weights do not fit {options['base']} ({str(error).splitlines()[-1].strip()}); export the model again"
        ) from None
    return method.eval(), about


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
