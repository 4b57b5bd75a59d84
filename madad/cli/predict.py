"""The command that applies a model to scans."""

from __future__ import annotations

from pathlib import Path

from madad.cli.arguments import Arguments, Commands, add_device, verb

# Sequences whose images can be chosen by the entities of their names, as BIDS Apps do.
FILTERED = ("T1w", "T2w", "FLAIR", "PDw", "T1ce")


def declare(commands: Commands) -> None:
    """Declare `madad predict`."""
    parser = verb(commands, predict)
    parser.add_argument("scans", nargs="+", type=Path, metavar="SCAN", help="NIfTI image, folder of images, or BIDS data set")
    parser.add_argument("--model", required=True, help="file of `madad model export`, or name of a model that comes with madad")
    parser.add_argument("--out", type=Path, required=True, help="folder for the results, a BIDS data set of derivatives")
    parser.add_argument(
        "--participant-label", nargs="+", default=[], metavar="LABEL", help="participants of a BIDS data set; all by default"
    )
    for sequence in FILTERED:
        parser.add_argument(
            f"--filter-{sequence}",
            nargs="+",
            default=[],
            metavar="ENTITY=VALUE",
            help=f"take the {sequence} images of a BIDS data set whose names say so, such as acq=x",
        )
    parser.add_argument(
        "--skull-strip", default="auto", help="auto, template, bet, hd-bet, synthstrip, given or none; auto looks at the image"
    )
    parser.add_argument("--brain", type=Path, help="brain mask on the grid of the scan")
    parser.add_argument("--force", action="store_true", help="flag a scan that is outside what the model has seen, and go on")
    add_device(parser)


def predict(arguments: Arguments) -> None:
    """Apply a model to scans: anomaly maps, masks, scores and pictures in the space of each scan. Research use only."""
    from madad.detection import detector, prediction, scan_finding

    loaded = detector.load(arguments.model, arguments.device)
    filters = {sequence: getattr(arguments, f"filter_{sequence}") for sequence in FILTERED}
    wanted = scan_finding.entities_wanted(filters, loaded.modality)
    scans = scan_finding.find(arguments.scans, loaded.modality, arguments.participant_label, wanted)
    prediction.predict(
        loaded, scans, arguments.out, skull_strip=arguments.skull_strip, brain=arguments.brain, force=arguments.force
    )
