"""`python tests/integration/loader/real_account.py`: the loader's tests on the Snowflake account of the environment.

Without an account it says so and exits 0: nobody can be asked to have one. CI that has one sets the variables.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

REQUIRED = ("SNOWFLAKE_ACCOUNT", "SNOWFLAKE_USER", "SNOWFLAKE_DATABASE", "SNOWFLAKE_WAREHOUSE")
ONE_OF = ("SNOWFLAKE_PASSWORD", "SNOWFLAKE_PRIVATE_KEY_FILE")


def main() -> int:
    missing = [name for name in REQUIRED if not os.environ.get(name)]
    if not any(os.environ.get(name) for name in ONE_OF):
        missing.append(" or ".join(ONE_OF))
    if missing:
        print(f"not run: the tests on a real Snowflake account need {', '.join(missing)} in the environment")
        return 0
    return int(pytest.main([str(Path(__file__).parent), *sys.argv[1:]]))


if __name__ == "__main__":
    sys.exit(main())
