"""Compare a ledger with what the pipeline left. Exit code 0: it agrees; 1: it differs; 3: a place cannot be read."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from headrace_apps.demo.check.compare import compare
from headrace_apps.demo.check.fetch import FetchError, Places, fetch_observed, read_token
from headrace_apps.demo.check.report import print_results
from headrace_apps.demo.clickstream import TABLE
from headrace_apps.demo.ledger import LedgerError, read_ledger


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m headrace_apps.demo.check", description=__doc__)
    add = parser.add_argument
    add("--ledger", type=Path, required=True, help="what was sent, as the traffic wrote it")
    add("--bootstrap", required=True, help="Kafka's address, host:port")
    add("--gateway", required=True, help="the API's address, http://host:port")
    add("--token-file", type=Path, required=True, help="a token that may read the view")
    add("--snowflake-account", required=True)
    add("--snowflake-user", required=True)
    add("--snowflake-password-file", type=Path)
    add("--snowflake-host", help="of the stand-in; a real account needs none")
    add("--snowflake-port", type=int)
    add("--snowflake-protocol", choices=["http", "https"], default="https")
    add("--snowflake-database", required=True)
    add("--snowflake-warehouse")
    add("--snowflake-role")
    add("--table", default=TABLE, help="SCHEMA.TABLE (default: %(default)s)")
    return parser.parse_args(arguments)


def places_of(options: argparse.Namespace) -> Places:
    given = {
        "account": options.snowflake_account,
        "user": options.snowflake_user,
        "host": options.snowflake_host,
        "port": options.snowflake_port,
        "protocol": options.snowflake_protocol,
        "database": options.snowflake_database,
        "warehouse": options.snowflake_warehouse,
        "role": options.snowflake_role,
        "password": read_token(options.snowflake_password_file) if options.snowflake_password_file else None,
    }
    connection = {name: value for name, value in given.items() if value is not None}
    return Places(
        bootstrap=options.bootstrap,
        gateway=options.gateway,
        token=read_token(options.token_file),
        snowflake=connection | {"session_parameters": {"TIMEZONE": "UTC"}},
        table=f"{options.snowflake_database}.{options.table}",
    )


def main() -> int:
    options = parse_arguments()
    console = Console()
    try:
        ledger = read_ledger(options.ledger)
        console.print(f"ledger: {len(ledger)} events sent", highlight=False)
        observed = fetch_observed(places_of(options), lambda line: console.print(line, highlight=False))
    except (OSError, LedgerError, FetchError) as error:
        console.print(f"The check could not be made: {error}", style="red", markup=False)
        return 3
    results = compare(ledger, observed)
    print_results(results, console)
    return 0 if all(result.passed for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
