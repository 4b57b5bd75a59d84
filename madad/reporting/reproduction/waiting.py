"""What an empty cell of a paper's table waits for: a measure, a method, a run of it, or data and the hardware to use them."""

from __future__ import annotations

from madad.configuration import cards, cohort_cards
from madad.configuration.schema import Options


def waits_for(column: Options, row: Options, compared: bool, tested: bool) -> str:
    """Return what is missing for the value of a row of a published table in one of its columns, in a few words.

    Args:
        column, row: from `papers.load`.
        compared: whether a method of the run stands in the row.
        tested: whether the data set of the column is among the test sets, in its sequence.
    """
    if not (column["measure"] or column["nearest"]):
        return "a measure: none here is computed in this way"
    if row["card"] is None:
        return f"a method: {row.get('apart') or 'madad has none of this kind'}"
    if tested and compared:
        return "a value: the measure has none in this run"
    if tested:
        return f"a run of {row['card']}"
    return f"{data(column)}{hardware(row['card'])}"


def data(column: Options) -> str:
    """Return the data set of a column, with its sequence and how to get it."""
    name = column["dataset"]
    if not name:
        return "data that the paper does not name"
    what = f"{name}, {column['modality']}"
    if column["subset"]:
        what += f", the part {column['subset']}, which no option selects"
    if column["simulated"]:
        what += ", with implanted lesions"
    kind = next((kind for kind in cohort_cards.kinds() if name in _data_sets(kind)), None)
    return f"{what} ({cohort_cards.card(kind)['access'].rstrip('.') if kind else f'a BIDS cohort with `dataset: {name}`'})"


def hardware(card: str) -> str:
    """Return what a training at the published size needs beside the data; nothing where a CPU will do."""
    return ", and a GPU" if cards.load(card)["resources"]["gpu"] else ""


def _data_sets(kind: str) -> set[str]:
    card = cohort_cards.card(kind)
    return {card.get("options", {}).get("dataset")} | {edition.get("dataset") for edition in card.get("editions", [])}
