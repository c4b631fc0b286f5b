"""What things cost: measured here and now, printed, and stored with the machine they ran on.

Not tests: nothing fails for being slow. Compare ratios within one file of results; the machines
that these run on are noisy.
"""

import os
import sys

# A person's machine keeps what Python has compiled; one that is told not to compiles the SDKs anew
# in every process, a third of what an update takes.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
