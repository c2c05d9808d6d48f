"""The design grid of coverage: how often 95 % intervals hold what they are about, by world and by method."""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy: processes share the cores
