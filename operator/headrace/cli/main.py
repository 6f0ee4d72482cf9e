"""`headrace`: the commands. Each parses its arguments, calls one function, and words what comes back.

Exit codes (docs/reference/contracts.md): 0 done; 1 the manifest is wrong or a check differs; 2 wrong usage;
3 a part could not be had or started; 130 Ctrl-C.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from headrace.cli import dlq, schema
from headrace.cli.completion import complete_pipeline, complete_stream, complete_topic
from headrace.cli.options import DEFAULT_STATE, AsJson, Files, State, parse_rate, parse_seconds

CANNOT_START, CTRL_C = 3, 130

app = typer.Typer(
    help="Headrace turns one StreamPipeline manifest into a running streaming pipeline.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(dlq.app, name="dlq")
app.add_typer(schema.app, name="schema")


@app.command(epilog="Example: headrace init shop --topic orders --format Avro --key customer")
def init(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The pipeline's; also the new folder's.")] = None,
    *,
    topic: Annotated[str | None, typer.Option(metavar="TOPIC", help="The topic that events come in on.")] = None,
    format_: Annotated[str | None, typer.Option("--format", metavar="FORMAT", help="JSON, Avro or Protobuf.")] = None,
    key: Annotated[str | None, typer.Option(metavar="FIELD", help="The field whose events stay in order.")] = None,
    counts: Annotated[bool | None, typer.Option("--counts/--no-counts", help="With a job that counts.")] = None,
    folder: Annotated[Path | None, typer.Option("--dir", metavar="DIR", help="Else a folder of that name.")] = None,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Ask nothing.")] = False,
) -> None:
    """Write a new pipeline that runs: a manifest to edit, fixtures for `test`, and a schema for the editor."""
    from headrace.cli.init import ask_starter, can_ask, write_starter

    ask = not yes and can_ask()
    raise typer.Exit(write_starter(ask_starter(name, topic, format_, key, counts, ask=ask), folder))


@app.command(epilog="Example: headrace validate -f pipeline.yaml")
def validate(
    file: Files,
    deep: Annotated[
        bool, typer.Option("--deep", help="Let Flink's planner check the jobs' SQL, too; nothing has to run.")
    ] = False,
) -> None:
    """Check manifests; prints every problem with its place, and what to do."""
    from headrace.cli.manifests import load_or_exit, read_files

    texts = read_files(file)
    loaded = load_or_exit(texts)
    if deep:
        from headrace.cli.validate import check_deeply

        if code := asyncio.run(check_deeply(texts, loaded.pipelines)):
            raise typer.Exit(code)
    for pipeline in loaded.pipelines:
        typer.echo(f"{pipeline.name}: valid")
    for platform in loaded.platforms:
        typer.echo(f"{platform.metadata.name}: valid (StreamPlatform)")


@app.command(epilog="Example: headrace test -f pipeline.yaml -k late")
def test(
    file: Files,
    only: Annotated[str, typer.Option("-k", metavar="TEXT", help="Only cases with this in their name.")] = "",
    junit: Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Write a JUnit report.")] = None,
) -> None:
    """Run the fixtures beside a manifest (tests/*.yaml) through its real jobs; shows what differs."""
    from headrace.cli.manifests import load_pipelines_or_exit, read_files
    from headrace.cli.test import test_pipelines

    if any(str(one) == "-" for one in file):
        raise typer.BadParameter("fixtures stand beside a file; standard input has none", param_hint="-f")
    manifests = [(one, load_pipelines_or_exit(read_files([one]))) for one in file]
    raise typer.Exit(asyncio.run(test_pipelines(manifests, only, junit)))


@app.command(epilog="Example: headrace plan -f pipeline.yaml")
def plan(file: Files, state: State = DEFAULT_STATE) -> None:
    """Show what a manifest comes to, and what `up` would change of what runs; changes nothing."""
    from headrace.cli.manifests import load_pipelines_or_exit, read_files
    from headrace.cli.plan import show_plan

    texts = read_files(file)
    pipelines = load_pipelines_or_exit(texts)
    _exit_with(state, show_plan(pipelines, texts, state))


@app.command(epilog="Example: headrace render -f pipeline.yaml --platform platform.yaml | kubectl apply -f -")
def render(
    file: Files,
    platform: Annotated[Path, typer.Option("--platform", metavar="FILE", help="The StreamPlatform it runs on.")],
    namespace: Annotated[str | None, typer.Option("-n", "--namespace", help="Default: the platform's.")] = None,
) -> None:
    """Print a pipeline's Kubernetes objects as YAML: what the operator would apply, and what runs without it."""
    from headrace.cli.manifests import read_files
    from headrace.cli.render import show_objects

    show_objects(read_files(file), read_files([platform]), namespace)


@app.command(epilog="Example: headrace up -f pipeline.yaml --watch")
def up(
    *,
    file: Annotated[list[Path] | None, typer.Option("-f", "--file", metavar="FILE", help="A manifest; repeatable.")]
    = None,
    state: State = DEFAULT_STATE,
    set_up_only: Annotated[bool, typer.Option("--set-up-only", help="Fetch and build all parts; start nothing.")]
    = False,
    gateway_port: Annotated[int | None, typer.Option(help="The first pipeline's gateway.", min=1, max=65535)] = None,
    kafka_port: Annotated[int | None, typer.Option(help="The broker.", min=1, max=65535)] = None,
    registry_port: Annotated[int | None, typer.Option(help="The schema registry.", min=1, max=65535)] = None,
    flink_port: Annotated[int | None, typer.Option(help="Flink's web interface.", min=1, max=65535)] = None,
    real_snowflake: Annotated[
        bool, typer.Option("--real-snowflake", help="Load into the account that SNOWFLAKE_… variables name.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Apply the manifests anew when they change.")] = False,
) -> None:  # fmt: skip
    """Run pipelines on this machine until Ctrl-C. If `up` runs on this state already, hand the manifests to it."""
    from headrace.cli.manifests import load_pipelines_or_exit, read_files

    if set_up_only:
        from headrace.cli.up import set_up_parts

        _exit_with(state, set_up_parts(state))
    if not file:
        raise typer.BadParameter("name at least one manifest", param_hint="-f")
    if watch and any(str(one) == "-" for one in file):
        raise typer.BadParameter("standard input cannot be watched", param_hint="--watch")
    texts = read_files(file)
    pipelines = load_pipelines_or_exit(texts)
    from headrace.cli.up import Wish, bring_up  # after the checks: a wrong manifest is told at once

    ports = {"kafka": kafka_port, "apicurio": registry_port, "flink": flink_port}
    ports[f"gateway-{pipelines[0].name}"] = gateway_port
    chosen = {name: port for name, port in ports.items() if port is not None}
    _exit_with(state, bring_up(Wish(pipelines, texts, state, chosen, real_snowflake, file if watch else ())))


@app.command(epilog="Example: headrace down")
def down(state: State = DEFAULT_STATE) -> None:
    """Stop what runs on this state, in order. Its data stays and is used by the next `up`."""
    from headrace.cli.running import take_down

    _exit_with(state, take_down(state))


@app.command(epilog="Example: headrace status --json")
def status(
    state: State = DEFAULT_STATE,
    as_json: Annotated[bool, typer.Option("--json", help="The same as JSON.")] = False,
) -> None:
    """Show the parts and resources that run, and their addresses."""
    from headrace.cli.running import show_status

    _exit_with(state, show_status(state, as_json))


@app.command(epilog="Example: headrace logs flink -f")
def logs(
    part: Annotated[list[str] | None, typer.Argument(metavar="PART…", help="Parts as `status` names them.")] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on as lines come.")] = False,
    lines: Annotated[int, typer.Option("-n", "--lines", help="Last lines of each.", min=0)] = 20,
    state: State = DEFAULT_STATE,
) -> None:
    """Print the last log lines of all parts, or of those named."""
    from headrace.cli.logs import show_logs

    raise typer.Exit(show_logs(state, part or [], lines, follow))


@app.command(epilog="Example: headrace token --topic clicks --write --ttl 15m")
def token(
    *,
    scope: Annotated[list[str] | None, typer.Option(help="A scope such as clickstream.clicks:write.")] = None,
    topic: Annotated[list[str] | None, typer.Option(help="A topic: `clicks`, or `pipeline.clicks`.")] = None,
    write: Annotated[bool, typer.Option("--write", help="May write to the topics.")] = False,
    read: Annotated[bool, typer.Option("--read", help="May read the topics and their views.")] = False,
    ttl: Annotated[str, typer.Option(help="How long it is valid, such as 15m or 1h.")] = "1h",
    subject: Annotated[str, typer.Option(help="Whom the token names.")] = "local",
    state: State = DEFAULT_STATE,
) -> None:
    """Print a token for the local gateway, and nothing else."""
    from headrace.cli.token import scopes_for
    from headrace.local.keys import jwks_file, sign_token
    from headrace.local.state import state_worded

    scopes = [*(scope or []), *scopes_for(state, topic or [], write=write, read=read)]
    if not scopes:
        raise typer.BadParameter("give --scope, or --topic with --write or --read")
    if not jwks_file(state.absolute()).exists():  # a token of a new key would be good for no gateway
        raise typer.BadParameter(f"no `headrace up` has run on {state.absolute()}", param_hint="--state")
    with state_worded(state):
        typer.echo(sign_token(state.absolute(), scopes, parse_seconds(ttl), subject))


@app.command(epilog="Examples: headrace send clicks events.ndjson | headrace send clicks --count 100 --rate 10/s")
def send(
    topic: Annotated[str, typer.Argument(metavar="TOPIC", autocompletion=complete_topic)],
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE", help="JSON, a JSON array or lines of JSON; `-` is standard input.", show_default=False
        ),
    ] = None,
    *,
    count: Annotated[
        int | None, typer.Option(help="So many events at most; without FILE: made-up ones.", min=1)
    ] = None,
    rate: Annotated[str | None, typer.Option(metavar="RATE", help="At most so many, such as 10/s.")] = None,
    state: State = DEFAULT_STATE,
) -> None:
    """Send events through the running gateway; without FILE made-up ones. The exit code is 1 when any is refused."""
    from headrace.cli.send import send_events

    raise typer.Exit(send_events(state, topic, file, count, parse_rate(rate) if rate else None))


@app.command(
    epilog="Examples: headrace tail clicks -f | headrace tail dlq | headrace tail page-views --from 10m --json"
)
def tail(
    name: Annotated[
        str, typer.Argument(metavar="TOPIC|VIEW|dlq", help="Or pipeline.TOPIC.", autocompletion=complete_stream)
    ],
    *,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on as records come.")] = False,
    start: Annotated[
        str | None, typer.Option("--from", metavar="WHERE", help="`beginning`, `end`, 10m (ago) or an RFC 3339 time.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("-n", "--limit", min=1, help="So many records; else the last 10.")
    ] = None,
    as_json: AsJson = False,
    state: State = DEFAULT_STATE,
) -> None:
    """Print records of a topic, of a view's topic or of the dead letters: time, partition-offset, key, value."""
    from headrace.cli.tail import tail as show

    now = datetime.now(UTC)
    raise typer.Exit(show(state, name, start=start, follow=follow, limit=limit, as_json=as_json, now=now))


@app.command(epilog="Example: headrace explain 0f3c8e0a-3a39-4d55-8dd9-2b1a5c3e7f10")
def explain(
    event_id: Annotated[str, typer.Argument(metavar="EVENT_ID", help="The value of the topic's `id` field.")],
    *,
    since: Annotated[
        str, typer.Option(metavar="TIME", help="Records since: 24h (ago), RFC 3339, `beginning`.")
    ] = "24h",
    most: Annotated[int, typer.Option(help="Look at so many records of a topic at most.", min=1)] = 2_000_000,
    pipeline: Annotated[
        str | None,
        typer.Option("-p", "--pipeline", metavar="NAME", autocompletion=complete_pipeline, help="Only in this one."),
    ] = None,
    state: State = DEFAULT_STATE,
) -> None:
    """Say where an event is: accepted when, offset, each job and its windows, dead letter and why, table row."""
    from headrace.cli.explain import explain as tell

    raise typer.Exit(tell(state, event_id, pipeline, since=since, most=most, now=datetime.now(UTC)))


def _exit_with(state: Path, work: Coroutine[Any, Any, int]) -> NoReturn:
    """Ends with the work's exit code; a state folder that cannot be written is an error for the user to mend."""
    from headrace.local.state import state_worded

    with state_worded(state):
        raise typer.Exit(asyncio.run(work))


def run() -> None:
    """The entry point: errors are lines for a person, never traces (HEADRACE_DEBUG=1 shows them)."""
    from headrace.local.errors import PartError

    try:
        app()
    except PartError as error:
        typer.echo(f"headrace: {error}", err=True)
        sys.exit(CANNOT_START)
    except KeyboardInterrupt:
        sys.exit(CTRL_C)
    except BrokenPipeError:
        # Whoever read the output is gone, as with `headrace logs | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        if os.environ.get("HEADRACE_DEBUG"):
            raise
        typer.echo(f"headrace: unexpected {type(error).__name__}: {error}", err=True)
        typer.echo("  → this is a defect of Headrace; HEADRACE_DEBUG=1 shows where", err=True)
        sys.exit(CANNOT_START)


if __name__ == "__main__":
    run()
