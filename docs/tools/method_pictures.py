"""Draw a picture of every method's maps on real strokes, for the pages of the methods.

    madad run                                      # the default run, which has the maps
    python -m docs.tools.method_pictures results   # a folder of results

Pictures are small: three patients a method, one row each, whose lesions are neither the largest nor the smallest.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from madad.core.io.hdf5 import Maps, Pack

OUT = Path(__file__).resolve().parents[1] / "reference/methods/pictures"
QUANTILES = (0.5, 0.75, 0.9)
PIXELS, DPI, COLOURS = (520, 420), 100, 96


def draw(results: Path, out: Path = OUT) -> list[Path]:
    """Draw every method that has maps of the test slices of `soop`.

    Args:
        results: folder of a run.
        out: folder for the pictures.
    """
    out.mkdir(parents=True, exist_ok=True)
    made = []
    with Pack(results / "packs/soop/FLAIR/test.h5") as pack:
        samples = patients(pack)
        for path in sorted(results.glob("runs/soop/FLAIR/*/seed0/eval/soop/maps.h5")):
            if not (out.parent / f"{path.parts[-5]}.md").is_file():
                continue  # a variant, which has no page
            made.append(out / f"{path.parts[-5]}.png")
            with Maps(path) as maps:
                _draw_one(pack, maps, samples, made[-1])
    return made


def patients(pack: Pack) -> list[int]:
    """Return the samples whose lesion volumes are at `QUANTILES` of those of all patients."""
    volumes = {sample: int(pack.lesion(sample).sum()) for sample in range(len(pack))}
    ordered = sorted((sample for sample in volumes if volumes[sample]), key=lambda sample: volumes[sample])
    return [ordered[int(quantile * (len(ordered) - 1))] for quantile in QUANTILES]


def _draw_one(pack: Pack, maps: Maps, samples: list[int], path: Path) -> None:
    figure, panels = plt.subplots(len(samples), 3, figsize=(PIXELS[0] / DPI, PIXELS[1] / DPI), dpi=DPI)
    for row, sample in zip(panels, samples, strict=True):
        image, lesion = pack.image(sample)[0], pack.lesion(sample)[0]
        found = maps.anomaly_map(maps.row("test", pack.names[sample]))[0]
        row[0].imshow(image, cmap="gray", vmin=0, vmax=1, origin="lower")
        row[1].imshow(np.where(lesion, 1.0, 0.4 * (image > 0)), cmap="gray", vmin=0, vmax=1, origin="lower")
        row[2].imshow(found, cmap="inferno", vmin=0, vmax=max(float(found.max()), 1e-6), origin="lower")
    for title, panel in zip(("image", "reference", "map"), panels[0], strict=True):
        panel.set_title(title, fontsize=9)
    for panel in panels.flat:
        panel.axis("off")
    figure.subplots_adjust(0, 0, 1, 0.93, 0.02, 0.02)
    figure.canvas.draw()
    picture = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3])
    picture.quantize(COLOURS).save(path, optimize=True)
    plt.close(figure)


if __name__ == "__main__":
    print("\n".join(map(str, draw(Path(sys.argv[1])))))
