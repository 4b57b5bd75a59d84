from __future__ import annotations

from pathlib import Path

import pytest

from tests.core.io import header_fuzz


def test_no_header_is_read_wrongly_without_a_word(tmp_path: Path) -> None:
    found = header_fuzz.run(range(400), tmp_path)
    assert set(found) == {"read", "refused"}
    assert len(found["read"]) > 100 and len(found["refused"]) > 100


@pytest.mark.parametrize("change", sorted({change.__name__ for change in header_fuzz.CHANGES}))
def test_every_change_is_made(change: str) -> None:
    assert any(change in header_fuzz.drawn(seed).changes for seed in range(400))


def test_the_check_sees_a_mirrored_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load = header_fuzz.load_image

    def mirrored(path: Path) -> object:
        image = load(path)
        return type(image)(image.array, image.affine @ [[-1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])

    monkeypatch.setattr(header_fuzz, "load_image", mirrored)
    assert "an affine that the header does not give" in header_fuzz.run(range(30), tmp_path)
