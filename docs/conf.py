"""Settings of the documentation's site: `make docs` builds it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from docs.tools import command_page, configuration_page  # noqa: E402
from madad.core import provenance  # noqa: E402

configuration_page.write(HERE / "reference" / "configuration")
command_page.write(HERE / "reference" / "commands.md")

project = "madad"
author = "the authors of madad"
copyright = author
release = provenance.version()
extensions = ["myst_nb", "autodoc2", "sphinx_copybutton"]
exclude_patterns = ["tools"]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb", ".rst": "restructuredtext"}

# A link that leads nowhere is a warning, and `make docs` fails on warnings. Types in signatures are not looked up.
nitpicky = True
nitpick_ignore_regex = [("py:.*", ".*")]
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "deflist"]
suppress_warnings = ["autodoc2.dup_item", "mystnb.unknown_mime_type"]

# Tutorials are executed once and kept until their code changes; MADAD_TUTORIALS=off shows them without results.
nb_execution_mode = os.environ.get("MADAD_TUTORIALS", "cache")
nb_execution_excludepatterns = ["how-to/*"]  # needs a head of IXI
nb_execution_in_temp = True
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True

# The public modules alone, read without importing them.
PUBLIC = [
    "../madad/api.py",
    "../madad/evaluation/metrics",
    "../madad/evaluation/statistics",
    "../madad/data/anomalies",
    "../madad/models/diffusion",
]
autodoc2_packages = [
    {"path": path, "module": path.removeprefix("../").removesuffix(".py").replace("/", "."), "auto_mode": True} for path in PUBLIC
]
autodoc2_output_dir = "reference/api"
autodoc2_hidden_objects = {"undoc", "dunder", "private", "inherited"}
autodoc2_docstring_parser_regexes = [(".*", "docs.tools.docstrings")]

html_theme = "furo"
html_title = f"madad {release}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
copybutton_exclude = ".linenos, .gp, .go"

linkcheck_anchors = False
linkcheck_timeout = 20
linkcheck_workers = 8
