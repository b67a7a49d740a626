"""Settings for all tests."""

from hypothesis import settings

# A deadline on the wall clock would make tests fail on a busy machine for no fault of the code.
settings.register_profile("lens", deadline=None)
settings.load_profile("lens")
