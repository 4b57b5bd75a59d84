"""The cohort `ixi`: healthy heads from three hospitals (brain-development.org), in the layout of its archives."""

from __future__ import annotations

import csv
from pathlib import Path

from madad.configuration import cohort_names
from madad.core import logs
from madad.core.errors import UserError
from madad.core.io.manifest import Row
from madad.data.cohorts.finding.file_layout import Image, Layout, absent, collect, facts, files
from madad.data.cohorts.finding.participants import age_in_years

TABLES = ("IXI.xls", "IXI.tsv", "IXI.csv")
SEXES = {"1": "M", "2": "F"}


def find(root: Path, options: dict) -> Layout:
    """Find the images of IXI in any folders; the site is in their names, age and sex are in the table IXI.xls.

    Raises:
        UserError: no such root, no image of IXI below it, or a table that cannot be read.
    """
    layout = Layout(images={})
    images, sites = [], {}
    for path in files(root, "IXI*.nii", "IXI*.nii.gz"):
        name = cohort_names.understood("ixi", root, path)
        if not name:
            layout.exclude(path.name, path, "the name is not like IXI012-HH-1211-T1.nii.gz, so subject and sequence are unknown")
            continue
        if name.sequence:  # else an angiography or diffusion image
            subject = f"sub-IXI{name.parts['number']}"
            images.append(Image(subject, "", name.sequence, path))
            sites[subject] = str(name.parts["site"])
    if not images:
        raise absent("ixi", root, f"images named like {cohort_names.example('ixi')}")
    layout.images = collect(images)
    known = read_people(root)
    layout.people = {s: {**facts(site=site, group="healthy"), **known.get(s, {})} for s, site in sites.items()}
    ageless = sorted(subject for subject, person in layout.people.items() if not person["age"])
    if ageless:
        logs.warn(f"{root}: the age of {len(ageless)} of {len(sites)} subjects is unknown, such as {ageless[0]} (IXI.xls)")
    return layout


def read_people(root: Path) -> dict[str, Row]:
    """Read IXI.xls, or the same table saved as IXI.tsv or IXI.csv.

    Some people have two rows, usually one complete and one with missing values, which are merged. A value that differs
    between two rows of a person is unknown.

    Returns:
        Age (years) and sex by subject label, empty where unknown. An empty dict, with a warning, if there is no table.

    Raises:
        UserError: a table that cannot be read or has other columns.
    """
    found = files(root, *TABLES)
    if not found:
        logs.warn(f"{root}: there is no {' or '.join(TABLES)}, so all ages and sexes are unknown and splits are not stratified")
        return {}
    path = min(found, key=lambda one: TABLES.index(one.name))
    people: dict[str, Row] = {}
    for row in _rows(path):
        subject = f"sub-IXI{_number(row['id']):03d}"
        person = people.setdefault(subject, {"age": "", "sex": ""})
        for key, value in (("age", _age(row["age"])), ("sex", SEXES.get(_whole(row["sex"]), ""))):
            if value and person[key] not in ("", value):
                logs.warn(f"{path}: {subject} has more than one {key} ({person[key] or 'unclear'}, {value}); it is unknown")
                value = "?"
            person[key] = value or person[key]
    return {subject: {key: value.replace("?", "") for key, value in person.items()} for subject, person in people.items()}


def _rows(path: Path) -> list[Row]:
    """Read the columns id, sex and age of all rows, every value as text."""
    header, *lines = _excel(path) if path.suffix == ".xls" else _text(path)
    columns = {}
    for key, start in (("id", "IXI_ID"), ("sex", "SEX"), ("age", "AGE")):
        matching = [number for number, name in enumerate(header) if name.strip().upper().startswith(start)]
        if not matching:
            raise UserError(f"{path}: no column is called {start}; the columns are {', '.join(header)}")
        columns[key] = matching[0]
    return [{key: line[column].strip() for key, column in columns.items()} for line in lines if any(line)]


def _excel(path: Path) -> list[list[str]]:
    import xlrd  # only this table needs it

    try:
        with xlrd.open_workbook(path) as book:
            sheet = book.sheet_by_index(0)
            return [[str(cell.value) for cell in sheet.row(number)] for number in range(sheet.nrows)] or [[]]
    except (xlrd.XLRDError, OSError, ValueError, IndexError) as error:
        raise UserError(f"{path}: not a readable Excel 97 table ({error}); download it again, or save it as IXI.csv") from None


def _text(path: Path) -> list[list[str]]:
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            lines = list(csv.reader(stream, delimiter="\t" if path.suffix == ".tsv" else ","))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: not a readable table ({error}); save it again as UTF-8") from None
    for number, line in enumerate(lines, start=1):
        if line and len(line) != len(lines[0]):  # an unquoted comma in the name of the column of sexes shifts all others
            raise UserError(
                f"{path}, line {number}: {len(line)} fields under {len(lines[0])} columns; put texts with commas in quotes"
            )
    return [line for line in lines if line] or [[]]


def _number(text: str) -> int:
    whole = _whole(text).removeprefix("IXI")
    if not whole.isdigit():
        raise UserError(f"IXI table: the IXI_ID '{text}' is not a number; correct it or download the table again")
    return int(whole)


def _whole(text: str) -> str:
    """Remove the decimal point that Excel adds to every number: "12.0" is 12."""
    return text.removesuffix(".0")


def _age(text: str) -> str:
    """Return years with two decimals; empty if there is no age or it is 0."""
    age = age_in_years(text)
    return f"{float(age):.2f}" if age and float(age) > 0 else ""
