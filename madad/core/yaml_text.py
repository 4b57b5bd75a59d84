"""YAML as Python values, read by libyaml where PyYAML was built with it, which is eight times as fast."""

from __future__ import annotations

from typing import Any

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(text: str) -> Any:
    """Return the value of a text, as `yaml.safe_load` does.

    Raises:
        yaml.YAMLError: the text is not YAML.
    """
    return yaml.load(text, Loader=LOADER)
