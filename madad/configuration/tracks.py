"""Tracks: what the training of a method sees. Methods of different tracks are not ranked against each other."""

FLOORS, HEALTHY, PRETRAINED, LESION_MASKS, IMAGE_LABELS, SUPERVISED = (
    "none",  # nothing is learnt: floors for the others, none of which is a winner
    "healthy",
    "pretrained",
    "lesion-masks",
    "image-labels",
    "supervised",
)
# From the one that sees least to the one that sees most.
TRACKS = (FLOORS, HEALTHY, PRETRAINED, LESION_MASKS, IMAGE_LABELS, SUPERVISED)
