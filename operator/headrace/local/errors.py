"""The one error of the local backend: a part could not be had or started, worded for the person at the keyboard.

Whatever goes wrong below (HTTP, files, processes, clients) is turned into a `PartError` where it is understood;
the command line prints it as two lines and exits with 3.
"""

from __future__ import annotations


class PartError(Exception):
    """`what` went wrong and where, in one line; `todo` is what the person can do about it; `log` its last log lines."""

    def __init__(self, what: str, todo: str = "", log: tuple[str, ...] = ()) -> None:
        super().__init__(what)
        self.what = what
        self.todo = todo
        self.log = log

    def __str__(self) -> str:
        lines = [self.what, *(f"    {line}" for line in self.log)]
        if self.todo:
            lines.append(f"  → {self.todo}")
        return "\n".join(lines)
