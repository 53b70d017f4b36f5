"""What `fuzz.py` consists of: inputs, seeds, targets and the cage in which they are run."""
