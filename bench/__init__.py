"""What things cost: measured here and now, printed, and stored with the machine they ran on.

Not tests: nothing fails for being slow. Compare ratios within one file of results; the machines
that these run on are noisy.
"""
