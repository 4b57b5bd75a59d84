from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from madad.evaluation.protocol.mask_export import FALSE, MISSED, TRUE, export_masks
from madad.reporting.galleries.mask_pictures import COLOURS, coloured, draw_masks, shown_slices
from tests.evaluation.cases import FULL, PLAIN, Case


def test_every_exported_mask_has_a_picture_at_any_threshold(tmp_path: Path) -> None:
    case = Case(tmp_path, FULL)
    case.rows(PLAIN)
    made = []
    for protocol in ("validation", "healthy_fpr_5"):
        folder = tmp_path / protocol
        export_masks(case.maps, case.packs, PLAIN, case.out, protocol, folder)
        draw_masks(case.packs, folder)
        assert {path.name for path in folder.glob("*.png")} == {f"sub-{number}_dseg.png" for number in range(4)}
        made.append(np.asarray(Image.open(folder / "sub-2_dseg.png").convert("RGB")))
    assert made[0].shape != made[1].shape or (made[0] != made[1]).any()


def test_slices_are_those_with_the_most_of_each_label() -> None:
    labels, brain = np.zeros((6, 5, 5), dtype=np.uint8), np.zeros((6, 5, 5), dtype=bool)
    brain[2] = True
    assert shown_slices(labels, brain) == [2]
    labels[4, :2], labels[1, 0, 0], labels[5, 0, 0] = TRUE, TRUE, FALSE
    assert shown_slices(labels, brain) == [4, 5]


@pytest.mark.parametrize("label", [TRUE, FALSE, MISSED])
def test_a_label_has_its_colour_and_the_rest_stays_grey(label: int) -> None:
    labels = np.array([[label, 0]], dtype=np.uint8)
    picture = coloured(np.array([[0.5, 0.5]]), labels)
    wanted = [int(COLOURS[label][at : at + 2], 16) / 255 for at in (1, 3, 5)]
    assert picture[0, 0] == pytest.approx(0.35 * 0.5 + 0.65 * np.array(wanted)) and (picture[0, 1] == 0.5).all()
