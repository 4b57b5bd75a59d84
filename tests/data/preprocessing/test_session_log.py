from __future__ import annotations

from pathlib import Path

import pytest

from madad.core.errors import SubjectError, UserError
from madad.data.preprocessing.session_log import Ledger
from tests.data.preprocessing.conftest import row


def test_a_failure_ends_its_block_alone_and_a_later_success_mends_it() -> None:
    ledger, known = Ledger(), row("sub-01", Path("t1.nii.gz"))
    with ledger.working_on(known):
        raise SubjectError("t1.nii.gz: no head")
    assert ledger.reasons == {"T1w": "t1.nii.gz: no head"}
    with ledger.working_on(known):
        pass
    assert ledger.reasons == {} and ledger.seconds["T1w"] >= 0


def test_what_no_one_foresaw_names_the_file() -> None:
    ledger = Ledger()
    with ledger.working_on(row("sub-01", Path("t1.nii.gz"))):
        raise IndexError("deep inside")
    assert ledger.reasons["T1w"] == "t1.nii.gz: IndexError: deep inside"


def test_what_concerns_all_images_is_no_image_s_fault() -> None:
    with pytest.raises(UserError, match="everyone"), Ledger().working_on(row("sub-01", Path("t1.nii.gz"))):
        raise UserError("concerns everyone")
