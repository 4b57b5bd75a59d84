"""Every rule that calls one function to make a table, a figure or what they are made from; the workflow reads this list."""

from __future__ import annotations

from madad.reporting.deliverables.figures import FIGURES
from madad.reporting.deliverables.page import PAGE
from madad.reporting.deliverables.steps import STEPS
from madad.reporting.deliverables.tables import TABLES

DELIVERABLES = (*STEPS, *TABLES, *FIGURES, *PAGE)
