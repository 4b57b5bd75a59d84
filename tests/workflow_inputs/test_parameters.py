"""Text that decides a rerun: equal for equal values, another one for another state of the files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from madad.workflow import parameters
from tests.workflow_inputs.conftest import touch


@pytest.fixture
def root(tmp_path: Path) -> Path:
    touch([str(tmp_path / "sub-01/anat/sub-01_FLAIR.nii.gz"), str(tmp_path / "participants.tsv")])
    return tmp_path


def listing(root: Path) -> str:
    """A listing that no earlier one of this process hides."""
    parameters.listing.cache_clear()
    return parameters.listing(str(root))


def test_order_of_keys_reruns_nothing() -> None:
    assert parameters.as_json({"a": 1, "b": [2, 3]}) == parameters.as_json({"b": [2, 3], "a": 1}) == '{"a": 1, "b": [2, 3]}'
    assert parameters.as_json([2, 3]) != parameters.as_json([3, 2])


@pytest.mark.parametrize("name", ["sub-02/anat/sub-02_FLAIR.nii", "sub-01/anat/mask.nii.gz", "sub-01/dataset.json"])
def test_a_new_image_mask_or_table_changes_the_listing(root: Path, name: str) -> None:
    before = listing(root)
    assert listing(root) == before
    touch([str(root / name)])
    assert listing(root) != before


def test_a_changed_or_removed_image_changes_the_listing(root: Path) -> None:
    image, before = root / "sub-01/anat/sub-01_FLAIR.nii.gz", listing(root)
    image.write_bytes(b"other")
    changed = listing(root)
    os.utime(image, ns=(1, 1))
    touched = listing(root)
    image.unlink()
    assert len({before, changed, touched, listing(root)}) == 4


def test_other_files_and_broken_links_are_left_out(root: Path) -> None:
    before = listing(root)
    touch([str(root / "README"), str(root / "sub-01/notes.json")])
    (root / "later.nii.gz").symlink_to(root / "not fetched yet")
    assert listing(root) == before


def test_newest_is_the_file_that_changed_last_and_has_no_braces(root: Path) -> None:
    old, new, braces = root / "old.nii", root / "new.nii", root / "newest {1}.nii"
    for age, path in ((20, old), (10, new), (0, braces)):
        path.touch()
        os.utime(path, (10**9 - age, 10**9 - age))
    assert parameters.newest([old, new, braces, root / "nothing"]) == [str(new)]
    assert parameters.newest([braces]) == []


def test_states_are_those_of_existing_files(root: Path) -> None:
    table = str(root / "participants.tsv")
    ((path, size, changed),) = parameters.states([table, root / "nothing"])
    assert (path, size, changed) == (table, 0, os.stat(table).st_mtime_ns)
