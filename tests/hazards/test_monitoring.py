"""Rows 28 and 29: too little to judge is never a pass; drift that comes and goes retrains seldom."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from components.core.params import Governor, Monitor
from monitoring import drift
from monitoring.governor import History, Verdict, decide
from tests.hazards.test_false_alarms import draw

NOW = datetime(2026, 3, 29, tzinfo=UTC)  # the clocks of Europe change on this day
