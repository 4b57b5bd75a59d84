from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from madad.preprocessing import picture
from madad.template import template_on_grid
from tests.preprocessing.conftest import SyntheticHead


def test_picture_is_small_and_not_black(head: SyntheticHead, tmp_path: Path) -> None:
    template = template_on_grid(4.0)
    path = tmp_path / "a.png"
    picture.draw(path, head.image, head.brain, head.pose, template.t1w, template.brain.array, template)
    assert path.stat().st_size < 150_000
    assert np.asarray(Image.open(path).convert("RGB")).mean() > 10


def test_empty_mask_is_no_reason_to_fail(head: SyntheticHead, tmp_path: Path) -> None:
    template = template_on_grid(4.0)
    nothing = np.zeros_like(head.brain)
    picture.draw(tmp_path / "a.png", head.image, nothing, head.pose, template.t1w, template.brain.array * 0, template)
    assert (tmp_path / "a.png").is_file()
