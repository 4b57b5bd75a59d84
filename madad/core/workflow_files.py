"""Where the files of the workflow lie: Snakefile, rules, configuration, presets, profiles, schemas, captions, environments.

In a clone they lie beside the package, at the top; a wheel has a copy of them inside the package (`setup.py`).
"""

from __future__ import annotations

from madad.core.provenance import ROOT

COPY = "workflow_files"
FOLDER = ROOT if (ROOT / "Snakefile").is_file() else ROOT / "madad" / COPY
