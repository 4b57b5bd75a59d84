from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from madad.configuration import settings
from madad.core.errors import SubjectError
from madad.core.provenance import ROOT
from madad.data.preprocessing.skull_stripping import external_tools, strippers
from madad.data.preprocessing.steps.session_images import Head
from tests.data.preprocessing.conftest import SyntheticHead, row
from tests.data.preprocessing.skull_stripping.test_external_tools import MASK, SYNTHSTRIP, stub


def loaded(head: SyntheticHead, **given: object) -> Head:
    return Head(row("sub-01", Path("t1.nii.gz")), head.image, None, None, **given)


def test_the_configuration_knows_every_way() -> None:
    schema = json.loads((ROOT / "schemas" / "config.schema.json").read_text())
    allowed = schema["properties"]["cohorts"]["additionalProperties"]["properties"]["skull_strip"]["enum"]
    assert sorted(allowed) == sorted(strippers.STRIPPERS)
    assert sorted(settings.PROGRAMS) == sorted(external_tools.PROGRAMS)


def test_an_external_mask_lies_on_the_grid_of_the_file(head: SyntheticHead, tmp_path: Path) -> None:
    command = stub(tmp_path, SYNTHSTRIP + MASK.replace("> 0.5", "> 30"))
    found = strippers.strip(loaded(head), {"skull_strip": "synthstrip", "skull_strip_command": command})
    np.testing.assert_array_equal(found.mask.array > 0, head.image.array > 30)
    assert found.start is None


def test_a_mask_that_cannot_hold_a_brain_is_refused(head: SyntheticHead, tmp_path: Path) -> None:
    command = stub(tmp_path, SYNTHSTRIP + MASK.replace("> 0.5)", "> 0) & (np.indices(image.shape)[0] == 20)"))
    with pytest.raises(SubjectError, match="no brain was found"):
        strippers.strip(loaded(head), {"skull_strip": "synthstrip", "skull_strip_command": command})


def test_only_programs_must_be_there() -> None:
    for way in set(strippers.STRIPPERS) - set(external_tools.PROGRAMS):
        strippers.check_ready({"skull_strip": way})
    strippers.check_ready({"skull_strip": "synthstrip", "skull_strip_command": f"'{sys.executable}' -V"})
