"""The command that applies a model to scans."""

from __future__ import annotations

import os
from pathlib import Path

from madad.cli.arguments import Arguments, Commands


def declare(commands: Commands) -> None:
    """Declare `madad predict`."""
    parser = commands.add_parser("predict", help=predict.__doc__, description=predict.__doc__)
    parser.add_argument("scans", nargs="+", type=Path, metavar="SCAN", help="NIfTI image, folder of images, or BIDS data set")
    parser.add_argument("--model", type=Path, required=True, help="file of `madad model export`")
    parser.add_argument("--out", type=Path, required=True, help="folder for the results, a BIDS data set of derivatives")
    parser.add_argument("--participant-label", nargs="+", default=[], help="participants of a BIDS data set; all by default")
    parser.add_argument(
        "--skull-strip", default="auto", help="auto, template, bet, hd-bet, synthstrip, given or none; auto looks at the image"
    )
    parser.add_argument("--brain", type=Path, help="brain mask on the grid of the scan")
    parser.add_argument("--force", action="store_true", help="flag a scan that is outside what the model has seen, and go on")
    parser.add_argument("--device", default=os.environ.get("MADAD_DEVICE", "auto"), help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--log", help="file that receives all messages as well")
    parser.set_defaults(run=predict)


def predict(arguments: Arguments) -> None:
    """Apply a model to scans: anomaly maps, masks, scores and pictures in the space of each scan. Research use only."""
    from madad.detection import detector, prediction, scan_finding

    loaded = detector.load(arguments.model, arguments.device)
    scans = scan_finding.find(arguments.scans, loaded.modality, arguments.participant_label)
    prediction.predict(
        loaded, scans, arguments.out, skull_strip=arguments.skull_strip, brain=arguments.brain, force=arguments.force
    )
