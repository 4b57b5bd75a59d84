"""What was spent on each image of a session, and why one cannot be used: one bad image must not cost the others."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from madad.core.errors import SubjectError, UserError
from madad.core.io.manifest import Row
from madad.core.logs import say


@dataclass
class Ledger:
    """Times and failures of the images of a session, by modality.

    Attributes:
        seconds: spent on each image.
        reasons: why an image failed, in words for its user.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def working_on(self, row: Row) -> Iterator[None]:
        """Count the time of the block for an image; an error in it is noted and ends the block alone.

        Raises:
            UserError: what is wrong concerns every image, not this one.
        """
        key, begun = row["modality"], time.monotonic()
        try:
            yield
        except SubjectError as error:
            self.reasons[key] = str(error)
        except UserError:
            raise
        except Exception as error:  # whatever one image does to a library must not cost the others
            self.reasons[key] = f"{row['path']}: {type(error).__name__}: {error}"
            say(traceback.format_exc())
        else:
            self.reasons.pop(key, None)
        finally:
            self.seconds[key] = self.seconds.get(key, 0.0) + time.monotonic() - begun
