"""The runner is a distribution of its own that this environment does not install: its folder goes on the path."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3] / "flink_jobs"))
