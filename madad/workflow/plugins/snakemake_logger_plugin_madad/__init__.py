"""Where Snakemake looks for the handler behind `--logger madad`, once the folder above is on Python's path.

Not empty as the others are: Snakemake takes the handler from the package itself.
"""

from .handler import LogHandler

__all__ = ["LogHandler"]
