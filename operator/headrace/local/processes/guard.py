"""A small process that kills every process group of a run when the run ends, however it ends.

Reads `+<pid>` and `-<pid>` lines from a pipe that the run and its starting children hold open. When the last writer
is gone (a crash or SIGKILL closes a pipe on any POSIX system), whatever is still registered is killed with its group.
Runs as a plain script (`python -I -S guard.py`), in a session of its own so that Ctrl-C does not reach it.
"""

import os
import signal
import sys


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it ends with the pipe, never before
    groups: set[int] = set()
    for line in sys.stdin:
        pid = int(line[1:])
        if line[0] == "+":
            groups.add(pid)
        else:
            groups.discard(pid)
    for pid in groups:
        try:
            os.killpg(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue


if __name__ == "__main__":
    main()
