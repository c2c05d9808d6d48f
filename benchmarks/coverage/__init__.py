"""How often intervals hold what they are about, of methods side by side."""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy: two processes share two cores
