"""The first thing that runs in every child: ties it to the run, then becomes the command (exec).

Runs as a plain script (`python -I -S tether.py PARENT GUARD_FD COMMAND…`), standard library only. Between the fork
and the exec it has a process of its own, so nothing here can meet a lock that a thread of the parent held.

Two ties, because each has a gap. The guard (guard.py) kills by process group when the run's pipe closes, on any POSIX
system; the child registers itself, so there is no moment at which it runs unregistered. PR_SET_PDEATHSIG (Linux)
kills the child even if the guard was killed too.
"""

import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, guard, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    if sys.platform == "linux":
        import ctypes

        # The signal is sent when the *thread* that forked ends; the supervisor forks from its loop's thread only.
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the parent died before the call above: nobody will signal
            os._exit(1)
    # One write below PIPE_BUF is atomic. While this process holds the pipe open the guard waits for it.
    os.write(guard, f"+{os.getpid()}\n".encode())
    os.close(guard)
    try:
        os.execvp(command[0], command)  # noqa: S606 - becoming the command is the purpose
    except OSError as error:
        sys.stderr.write(f"cannot start {command[0]}: {error.strerror}\n")
        os._exit(127)


if __name__ == "__main__":
    main()
