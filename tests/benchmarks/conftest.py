"""The scripts of benchmarks/ as modules, behind everything else: some are called as folders of tests."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
