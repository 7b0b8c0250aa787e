"""For all tests: no property is timed, since machines are shared and only ratios count."""

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
