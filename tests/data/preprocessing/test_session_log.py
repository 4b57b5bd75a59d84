from __future__ import annotations

from pathlib import Path

import pytest

from madad.core.errors import SubjectError, UserError
from madad.data.preprocessing.session_log import SessionLog
from tests.data.preprocessing.conftest import row


def test_a_failure_ends_its_block_alone_and_a_later_success_mends_it() -> None:
    log, known = SessionLog(), row("sub-01", Path("t1.nii.gz"))
    with log.working_on(known):
        raise SubjectError("t1.nii.gz: no head")
    assert log.reasons == {"T1w": "t1.nii.gz: no head"}
    with log.working_on(known):
        pass
    assert log.reasons == {} and log.seconds["T1w"] >= 0


def test_what_no_one_foresaw_names_the_file() -> None:
    log = SessionLog()
    with log.working_on(row("sub-01", Path("t1.nii.gz"))):
        raise IndexError("deep inside")
    assert log.reasons["T1w"] == "t1.nii.gz: IndexError: deep inside"


def test_what_concerns_all_images_is_no_image_s_fault() -> None:
    with pytest.raises(UserError, match="everyone"), SessionLog().working_on(row("sub-01", Path("t1.nii.gz"))):
        raise UserError("concerns everyone")
