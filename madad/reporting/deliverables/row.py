"""The shape of a deliverable: a table, figure or page, or a file that several of them are made from.

Only the standard library is imported: the workflow makes a rule of every row before the job graph exists.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Output:
    """One file of a deliverable.

    Args:
        argument: its name in the signature of the function that writes it.
        path: with the wildcards in braces.
        labels: columns of the report's list of results; None keeps the file out of the report.
        caption: text beside it in the report, a file of `report/` without its suffix; empty for none.
        beside: whether the function writes it beside another one, so that it is no argument.
    """

    argument: str
    path: str
    labels: Mapping[str, str] | None = None
    caption: str = ""
    beside: bool = False


@dataclass(frozen=True)
class Deliverable:
    """One rule of the workflow that calls one function.

    Inputs and options carry the same names here, in the signature of the function, and in `madad.workflow.deliverables`,
    where the workflow finds the files and values behind them.

    Args:
        name: of the rule and of its log.
        about: one sentence, the docstring of the rule.
        function: that writes the outputs, as "module:function".
        inputs: names of the files that it reads.
        outputs: the files that it writes.
        section: of the report, one of `SECTIONS`; empty when no output is shown.
        subsection: of the report.
        options: names of its arguments that are no files; those of wildcards are among them.
        watched: names of values that are no arguments but change the result, and so must make the rule run again.
        each: what there is one for, a name of `EACH` in `madad.workflow.deliverables`; None: made only where another
            rule reads it.
        heavy: whether it needs files that only the data stage makes; `partial: true` then asks for it only where it
            exists already.
        environment: file of `envs/` without its suffix.
        group: jobs of one group share a submission on a cluster.
    """

    name: str
    about: str
    function: str
    inputs: tuple[str, ...]
    outputs: tuple[Output, ...]
    section: str = ""
    subsection: str | None = None
    options: tuple[str, ...] = ()
    watched: tuple[str, ...] = ()
    each: str | None = "run"
    heavy: bool = False
    environment: str = "core"
    group: str = "report"

    @property
    def module(self) -> str:
        """Dotted name of the module that holds the function."""
        return self.function.partition(":")[0]

    @property
    def wildcards(self) -> tuple[str, ...]:
        """Names of the wildcards, in the order of the first output."""
        return tuple(re.findall(r"{(\w+)}", self.outputs[0].path))

    @property
    def log(self) -> str:
        """Path of its log."""
        return "/".join(["results/logs", self.name, *(f"{{{name}}}" for name in self.wildcards)]) + ".log"


# Of the report, in their order.
SECTIONS = (
    *("Headline", "Tables", "Detection", "Statistics", "Robustness", "Anomaly maps", "Training", "Cost"),
    "Data and checks",
)
RUN_LABELS = {"Sequence": "{modality}", "Trained on": "{cohort}"}


def data(path: str, argument: str = "out") -> tuple[Output, ...]:
    """Return the one output of a step that only other rules read."""
    return (Output(argument, path),)


def table(
    name: str, result: str, csv: bool = False, fragment: bool = False, captioned: bool = True, numbers: bool = True
) -> tuple[Output, ...]:
    """Return the outputs of a table: csv, its numbers and LaTeX, and a sortable page in the report.

    Args:
        name: of the files and of their caption.
        result: its title in the report.
        csv: whether the report shows the csv file as well.
        fragment: whether a part of it appears on the first page of the report.
        numbers: whether its numbers have a file of their own, which `write_numbers` of the table writer makes.
        captioned: whether `report/<name>.rst` holds a text to show beside it.
    """
    caption = name if captioned else ""
    path = f"results/tables/{name}"
    page = {"Result": result, "Format": "sortable page"} if csv else {"Result": result}
    files = (
        Output("csv", f"{path}.csv", {"Result": result, "Format": "csv"} if csv else None, caption),
        Output("html", f"{path}.html", page, caption),
        Output("tex", f"{path}.tex"),
    )
    files = (*files, Output("numbers", f"{path}_numbers.csv", beside=True)) if numbers else files
    return (*files, Output("fragment", f"results/landing/{name}.html")) if fragment else files


def figure(name: str, labels: Mapping[str, str], caption: str = "", numbers: bool = False) -> tuple[Output, ...]:
    """Return the outputs of a figure: a PNG in the report, and a PDF beside it for papers.

    Args:
        name: of the files.
        labels: see `Output`.
        caption: see `Output`.
        numbers: whether the numbers that it draws have a file of their own, which `style.save` makes.
    """
    path = f"results/figures/{name}"
    files = Output("png", f"{path}.png", labels, caption), Output("pdf", f"{path}.pdf")
    return (*files, Output("numbers", f"{path}.csv", beside=True)) if numbers else files
