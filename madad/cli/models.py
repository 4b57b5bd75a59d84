"""Commands for model files: export the model of a run, look at one, and put one into the place of a training."""

from __future__ import annotations

import json
from pathlib import Path

from madad.cli.arguments import Arguments, Commands


def declare(commands: Commands) -> None:
    """Declare `madad model export`, `info` and `import`."""
    summary = "Export the model of a run as one file, look at such a file, or use one instead of a training."
    actions = commands.add_parser("model", help=summary, description=summary).add_subparsers(required=True, metavar="action")
    exporting = actions.add_parser("export", help=export.__doc__, description=export.__doc__)
    exporting.add_argument("run_folder", metavar="RUN", type=Path, help="results/runs/<cohort>/<modality>/<method>/seed<n>")
    exporting.add_argument("file", metavar="MODEL.zip", type=Path, help="the file to write")
    exporting.add_argument("--licence", default="", help="of the model, such as 'CC BY-SA 4.0'")
    exporting.add_argument("--testset", default="", help="test set whose thresholds the model takes; its own cohort by default")
    looking = actions.add_parser("info", help=info.__doc__, description=info.__doc__)
    looking.add_argument("file", metavar="MODEL.zip", type=Path)
    looking.add_argument("--json", action="store_true", help="print the whole description")
    importing = actions.add_parser("import", help=import_model.__doc__, description=import_model.__doc__)
    importing.add_argument("file", metavar="MODEL.zip", type=Path)
    importing.add_argument("run_folder", metavar="RUN", type=Path, help="folder of the run that it takes the place of")
    for parser, run in ((exporting, export), (looking, info), (importing, import_model)):
        parser.add_argument("--log", help="file that receives all messages as well")
        parser.set_defaults(run=run)


def export(arguments: Arguments) -> None:
    """Write the model of a finished run as one file that explains itself."""
    from madad.detection import model_export

    print(model_export.describe(model_export.export(arguments.run_folder, arguments.file, arguments.licence, arguments.testset)))


def info(arguments: Arguments) -> None:
    """Print what a model file says of itself."""
    from madad.detection import model_archive, model_export

    about = model_archive.read_about(arguments.file)
    print(json.dumps(about, indent=2, sort_keys=True) if arguments.json else model_export.describe(about))


def import_model(arguments: Arguments) -> None:
    """Use a model file instead of a training: write it into the folder of a run."""
    from madad.detection.model_import import into_run

    into_run(arguments.file, arguments.run_folder)
