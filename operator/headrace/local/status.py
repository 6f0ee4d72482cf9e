"""What runs, as a value: `headrace status` draws it as a table, `--json` prints it."""

from __future__ import annotations

import os
from typing import Any

import psutil

from headrace.core.diff import Action
from headrace.local.errors import PartError
from headrace.local.flink_rest import FlinkRest
from headrace.local.parts_on_demand import METRICS
from headrace.local.processes.supervisor import State
from headrace.local.run import LocalRun
from headrace.local.services.apicurio import registry_url
from headrace.local.services.gateway import gateway_url
from headrace.local.services.gateway import service_name as gateway_name
from headrace.local.services.loader import metrics_url
from headrace.local.services.loader import service_name as loader_name
from headrace.local.site import Site


async def status_of(run: LocalRun) -> dict[str, Any]:
    """Parts with process id, state, restarts and resident bytes; resources with their state; addresses."""
    return {
        "running": True,
        "pid": os.getpid(),
        "state": str(run.site.state),
        "addresses": addresses(run),
        "parts": [
            {
                "name": name,
                "state": running.state.value,
                "pid": running.pid,
                "restarts": running.restarts,
                "readyAfterSeconds": round(running.ready_after, 2) if running.ready_after is not None else None,
                "residentBytes": _resident(running.pid),
                "log": str(running.service.log),
            }
            for name, running in sorted(run.supervisor.running.items())
        ],
        "resources": await _resources(run),
    }


def addresses(run: LocalRun) -> dict[str, Any]:
    site = run.site
    plans = [run.plan_of(pipeline) for pipeline in run.pipelines.values()]
    flink = any(plan.jobs for plan in plans)
    return {
        "kafka": site.address("kafka"),
        "registry": registry_url(site),
        "flink": _flink_address(site) if flink else None,
        "flinkMetrics": f"http://{site.address(METRICS)}/metrics" if flink else None,
        "snowflake": site.address("snowflake-stand-in")
        if any(plan.loaders for plan in plans) and not run.real_snowflake
        else None,
        "gateways": {plan.gateway.name: gateway_url(site, plan.gateway.name) for plan in plans},
        "loaders": {loader.name: metrics_url(site, loader.name) for plan in plans for loader in plan.loaders},
    }


def _flink_address(site: Site) -> str | None:
    try:
        return f"http://{site.address('flink')}"
    except PartError:  # the port that the user chose for it is in use; its jobs say so
        return None


async def _resources(run: LocalRun) -> list[dict[str, Any]]:
    """Every resource of the plans: `running`, `present`, `waiting`, or `failed` with why.

    What runs is told as it runs, also while a change of it was refused: the detail says so.
    """
    try:
        observed = await run.backend.observe() if run.backend.parts.is_ready("topics") else None
    except OSError:
        observed = None
    states = await _job_states(run)
    resources = []
    for pipeline in run.pipelines.values():
        pending = {step.id: step.action for step in run.steps(pipeline, observed)} if observed else None
        for resource in run.plan_of(pipeline):
            refusal = run.refused.get(resource.id)
            there = pending is not None and pending.get(resource.id) is not Action.CREATE
            if not there:
                state, detail = ("failed", str(refusal.error)) if refusal else ("waiting", "")
            elif resource.id.startswith("job/"):
                state, detail = states.get(resource.name, "waiting").lower(), ""
            elif resource.id.startswith(("loader/", "gateway/")):
                state, detail = _process_state(run, resource.id)
            else:
                state, detail = "present", ""
            if there and pending and resource.id in pending:
                detail = (
                    f"as before; the change is not done: {refusal.error}" if refusal else "as before; a change waits"
                )
            resources.append({"pipeline": pipeline.name, "id": resource.id, "state": state, "detail": detail})
    return resources


def _process_state(run: LocalRun, resource: str) -> tuple[str, str]:
    """A gateway's or a loader's, as its process is: `running` only when it is ready; else `waiting`, with for what."""
    kind, name = resource.split("/", 1)
    process = run.supervisor.running.get(gateway_name(name) if kind == "gateway" else loader_name(name))
    if process is None:
        return "waiting", ""
    return ("running", "") if process.state is State.READY else ("waiting", process.state.value)


async def _job_states(run: LocalRun) -> dict[str, str]:
    if not run.backend.parts.is_ready("jobs"):
        return {}
    try:
        return {job.name: job.state for job in await FlinkRest(f"http://{run.site.address('flink')}").jobs()}
    except OSError:
        return {}


def _resident(pid: int | None) -> int | None:
    try:
        return int(psutil.Process(pid).memory_info().rss) if pid else None
    except psutil.Error:
        return None
