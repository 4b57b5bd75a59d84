"""Names for images that are handed to other people: they say nothing about the subject."""

from __future__ import annotations

from madad.core.io.hdf5 import Pack
from madad.core.provenance import content_hash


def case_name(pack: Pack, index: int) -> str:
    """Return the name of a sample in an exported test set, such as `case-3f09c2d81b`.

    It is a hash of the sample's name and of all images and masks of its pack. So it does not tell a healthy subject from a
    patient, nobody without the pack can undo it, and a map of an image that has been preprocessed anew no longer has a name
    that anyone asks for.

    Args:
        pack: where the sample lies.
        index: of the sample.
    """
    return f"case-{content_hash([pack.content, pack.split, pack.names[index]])[:10]}"


def in_order(pack: Pack) -> list[tuple[str, int]]:
    """Return name and index of every sample in the order of the names, which is not that of the pack."""
    return sorted((case_name(pack, index), index) for index in range(len(pack)))
