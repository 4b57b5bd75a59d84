"""The results tree of the report's tests, for what is computed from all long tables together."""

from tests.reporting.conftest import toy  # noqa: F401, a fixture
