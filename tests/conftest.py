"""No test depends on the clock: a slow machine makes a run longer, never red."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
os.environ.setdefault("KLTHEORY_TIMEOUT", "100000")  # of every command that is given none
