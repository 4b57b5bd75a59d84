"""A table is read as it is written, or refused: no row is lost, and no cell changes its row or column."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from madad.core.errors import UserError
from madad.data.cohorts.finding.bids_table import read_bids_table

CELLS = st.text(alphabet=st.characters(exclude_characters="\t\r\n\0", exclude_categories=("Cs",)), min_size=1, max_size=8)
TABLES = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=6)
)


def read(content: bytes) -> list[list[str]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "participants.tsv"
        path.write_bytes(content)
        table = read_bids_table(path)
        return [table.columns, *(list(row.values()) for row in table.rows)]


@given(TABLES, st.sampled_from(["\n", "\r\n", "\r"]), st.booleans(), st.booleans())
def test_a_table_reads_back_as_written_or_is_refused(rows: list[list[str]], end: str, mark: bool, closed: bool) -> None:
    text = ("\ufeff" if mark else "") + end.join("\t".join(row) for row in rows) + (end if closed else "")
    try:
        found = read(text.encode())
    except UserError:
        return
    written = [row for row in rows if "\t".join(row).strip()]
    written[0] = [cell.strip() for cell in written[0]]
    if found != written:  # a byte order mark of the text itself is none of its cells
        assert rows[0][0].startswith("\ufeff") and not mark
    else:
        assert len(found) == len(written)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_table_or_refused(content: bytes) -> None:
    with suppress(UserError):
        assert read(content)
