"""Tests. BLAS has one thread here, in the commands that tests start, too.

Idle threads of OpenBLAS wait in a busy loop, which takes most of the processor time of a test with
small matrices; the environment is set before NumPy is imported.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
