"""Errors a user can cause and mend. They are shown without a traceback by `madad.cli`."""


class UserError(Exception):
    """Something in the input, the configuration or the environment that the user can put right.

    The message names the file or key, the offending value and what to do about it.
    """


class SubjectError(UserError):
    """One subject cannot be used. The cohort goes on without it and the reason is recorded."""
