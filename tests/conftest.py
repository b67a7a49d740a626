"""Settings for all tests."""

import os

from hypothesis import settings

# As the command line has it; to be set before numpy is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# A deadline on the wall clock would make tests fail on a busy machine for no fault of the code.
settings.register_profile("lens", deadline=None)
settings.load_profile("lens")
