"""Time spent on each image of a session, and why an image failed: one bad image must not stop the others."""

from __future__ import annotations

import time
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from madad.core.errors import SubjectError, UserError
from madad.core.io.manifest import Row
from madad.core.logs import say


@dataclass
class SessionLog:
    """Times and failures of the images of a session, by modality.

    Attributes:
        seconds: time spent on each image.
        reasons: why an image failed, in words for the user.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def working_on(self, row: Row) -> Generator[None]:
        """Add the time of the block to that of an image; record an error in it, which ends only the block.

        Raises:
            UserError: the problem concerns every image, not only this one.
        """
        key, begun = row["modality"], time.monotonic()
        try:
            yield
        except SubjectError as error:
            self.reasons[key] = str(error)
        except UserError:
            raise
        except Exception as error:  # an error that one image causes in a library must not stop the others
            self.reasons[key] = f"{row['path']}: {type(error).__name__}: {error}"
            say(traceback.format_exc())
        else:
            self.reasons.pop(key, None)
        finally:
            self.seconds[key] = self.seconds.get(key, 0.0) + time.monotonic() - begun
