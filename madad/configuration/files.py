"""Read a configuration file as Snakemake does with `--configfile`: on top of config.yaml."""

from __future__ import annotations

from pathlib import Path

import yaml

from madad.configuration.schema import Options, merge
from madad.core.errors import UserError
from madad.core.workflow_files import FOLDER

DEFAULTS = FOLDER / "config.yaml"


def read_configuration(path: Path | None = None) -> Options:
    """Return the options of a file, if one is given, over those of config.yaml, as the user wrote them.

    Raises:
        UserError: no such file, or no mapping in YAML.
    """
    defaults = _read(DEFAULTS)
    return merge(defaults, _read(path)) if path else defaults


def _read(path: Path) -> Options:
    try:
        options = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; give a configuration file, as for snakemake --configfile") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path}: cannot be read as YAML: {error}") from None
    if not isinstance(options, dict):
        raise UserError(f"{path}: no options in it; it holds keys such as cohorts, train_on and test_on")
    return options
