"""Commands for model files: export the model of a run, look at one, use one instead of a training, or as its start."""

from __future__ import annotations

import json
from pathlib import Path

from madad.cli.arguments import Arguments, Commands, Parser, verb


def declare(commands: Commands) -> None:
    """Declare `madad model export`, `info`, `import` and `bundle`."""
    summary = "Export models as files, look at such files, and use them instead of a training or as its start."
    model = commands.add_parser("model", help=summary, description=summary)
    actions = model.add_subparsers(required=True, metavar="action", parser_class=Parser)
    exporting = verb(actions, export)
    exporting.add_argument("run_folder", metavar="RUN", type=Path, help="results/runs/<cohort>/<modality>/<method>/seed<n>")
    exporting.add_argument("file", metavar="MODEL.zip", type=Path, help="the file to write")
    exporting.add_argument("--licence", default="", help="of the model, such as 'CC BY-SA 4.0'")
    exporting.add_argument("--testset", default="", help="test set whose thresholds the model takes; its own cohort by default")
    exporting.add_argument("--half", action="store_true", help="write the weights in half precision, in half the space")
    looking = verb(actions, info)
    looking.add_argument("file", metavar="MODEL.zip", type=Path, nargs="?", help="left out: list the models that come with madad")
    looking.add_argument("--json", action="store_true", help="print the whole description")
    importing = verb(actions, import_model, "import")
    importing.add_argument("file", metavar="MODEL.zip", type=Path, help="the model")
    importing.add_argument("run_folder", metavar="RUN", type=Path, help="folder of the run that it takes the place of")
    bundling = verb(actions, bundle)
    bundling.add_argument("results", metavar="RESULTS", type=Path, help="folder of a finished run, such as that of preset=zoo")
    bundling.add_argument("--out", type=Path, required=True, help="folder of the files; for madad itself madad/bundled_models")
    bundling.add_argument("--licence", default="", help="of the weights; that of their training data by default")


def export(arguments: Arguments) -> None:
    """Write the model of a finished run as one file that explains itself."""
    from madad.detection import model_description, model_export

    about = model_export.export(arguments.run_folder, arguments.file, arguments.licence, arguments.testset, arguments.half)
    print(model_description.describe(about))


def info(arguments: Arguments) -> None:
    """Print what a model file says of itself, or list the models that come with madad."""
    from madad.configuration import initial_weights
    from madad.core.io import model_archive
    from madad.detection import bundled_models, model_description

    if arguments.file is None:
        print(model_description.listing(bundled_models.paths(), initial_weights.bundled()))
        return
    about = model_archive.read_start(bundled_models.find(arguments.file))
    print(json.dumps(about, indent=2, sort_keys=True) if arguments.json else model_description.describe(about))


def import_model(arguments: Arguments) -> None:
    """Use a model file instead of a training: write it into the folder of a run."""
    from madad.detection.model_import import into_run

    into_run(arguments.file, arguments.run_folder)


def bundle(arguments: Arguments) -> None:
    """Write small files of weights to start trainings from, one for every training of a results folder."""
    from madad.detection import model_bundle

    model_bundle.bundle(arguments.results, arguments.out, arguments.licence)
