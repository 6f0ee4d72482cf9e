"""Which jobs a case runs, and in which order: pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from headrace.core.pipeline import Job, Pipeline


def jobs_of(
    pipeline: Pipeline, given: Collection[str], expected: Collection[str], named: Iterable[str], *, closed: bool = False
) -> tuple[str, ...]:
    """Names of the jobs, those that feed others first.

    Those that write an expected topic or are named, and what feeds them; with neither, all that given topics reach.
    `closed`: those that are named, and no others.
    """
    jobs = {job.name: job for job in pipeline.jobs}
    wanted = {name for name in named if name in jobs}
    if not closed:
        wanted |= {job.name for job in pipeline.jobs if job.output in expected}
        wanted = _with_feeders(pipeline, wanted) if wanted else _reached(pipeline, given)
    return tuple(job.name for stage in stages(jobs[name] for name in wanted) for job in stage)


def stages(jobs: Iterable[Job]) -> list[list[Job]]:
    """Jobs that may run at the same time, stage after stage: a job reads its input to the end, so it must be whole.

    Jobs that feed each other in a circle come last, together: a topic is not read to an end that is yet to come.
    """
    left = sorted(jobs, key=lambda job: job.name)
    found: list[list[Job]] = []
    while left:
        written = {job.output for job in left}
        ready = [job for job in left if not written & set(job.inputs)] or left
        found.append(ready)
        left = [job for job in left if job not in ready]
    return found


def _with_feeders(pipeline: Pipeline, wanted: set[str]) -> set[str]:
    while True:
        inputs = {topic for job in pipeline.jobs if job.name in wanted for topic in job.inputs}
        more = wanted | {job.name for job in pipeline.jobs if job.output in inputs}
        if more == wanted:
            return wanted
        wanted = more


def _reached(pipeline: Pipeline, given: Collection[str]) -> set[str]:
    topics, reached = set(given), set[str]()
    while more := {job.name for job in pipeline.jobs if set(job.inputs) & topics} - reached:
        reached |= more
        topics |= {job.output for job in pipeline.jobs if job.name in more}
    return reached
