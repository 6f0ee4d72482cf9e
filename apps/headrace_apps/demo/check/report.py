"""The check's answer for a person: one line per comparison, and the first differences by id."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from headrace_apps.demo.check.result import Result

SHOWN = 8


def print_results(pipeline: str, results: Sequence[Result], console: Console) -> None:
    table = Table(title=f"Check of {pipeline}: what was sent against what arrived", title_justify="left")
    table.add_column("check", overflow="fold")
    table.add_column("expected", justify="right")
    table.add_column("found", justify="right")
    table.add_column("differences", justify="right")
    table.add_column("")
    for result in results:
        verdict = "[green]ok[/green]" if result.passed else "[red]DIFFERS[/red]"
        table.add_row(
            escape(result.name), f"{result.expected:,}", f"{result.found:,}", f"{len(result.differences):,}", verdict
        )
    console.print(table)
    for result in results:
        if result.differences:
            console.print(f"[red]{escape(result.name)}[/red]: the first of {len(result.differences):,} differences")
            for difference in result.differences[:SHOWN]:
                console.print(f"  {difference}", markup=False, highlight=False, soft_wrap=True)
    failed = sum(not result.passed for result in results)
    if failed:
        console.print(f"[red]The check of {pipeline} failed: {failed} of {len(results)} comparisons differ.[/red]")
    else:
        console.print(f"[green]The check of {pipeline} passed: all {len(results)} comparisons agree.[/green]")
