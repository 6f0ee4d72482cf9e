"""Names of objects: `<pipeline>-<role>-<part>`, one per part, for its ServiceAccount, KafkaUser and workload alike.

Two different parts never share a name, whatever pipelines and parts are called. A plain form that can be read in two
ways is the shorter pipeline's; the other's, and one that is too long, ends in a hash of what it stands for.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

# Each name carries a FlinkDeployment in the narrowest case, whose operator takes 45 characters.
LIMIT = 45
_WITH_PART, _ALONE = ("job", "sink"), ("gateway", "views")
_DNS_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def object_name(pipeline: str, role: str, part: str = "") -> str:
    """`clickstream-gateway`, `clickstream-job-page-views`; both arguments are DNS labels."""
    plain = "-".join(filter(None, (pipeline, role, part)))
    first = min(_readings(plain), key=lambda reading: len(reading[0]))
    if len(plain) <= LIMIT and first == (pipeline, role, part):
        return plain
    return _hashed(plain, "/".join((pipeline, role, part)))


def _readings(name: str) -> Iterator[tuple[str, str, str]]:
    """Every pipeline, role and part that would plainly be called so."""
    for role in _ALONE:
        if name.endswith(f"-{role}"):
            yield name.removesuffix(f"-{role}"), role, ""
    for role in _WITH_PART:
        for found in re.finditer(rf"(?=-{role}-)", name):
            pipeline, part = name[: found.start()], name[found.start() + len(role) + 2 :]
            if pipeline and part:
                yield pipeline, role, part


def topic_object_name(kafka_name: str) -> str:
    """The KafkaTopic's own name: the topic's where that can be an object's, else one made of it."""
    if len(kafka_name) <= 200 and _DNS_SUBDOMAIN.fullmatch(kafka_name):
        return kafka_name
    readable = re.sub(r"[^a-z0-9.-]+", "-", kafka_name.lower())
    readable = ".".join(filter(None, (label.strip("-") for label in readable[:200].split("."))))
    return f"{readable or 'topic'}-{_digest(kafka_name)}"


def _hashed(plain: str, identity: str) -> str:
    return f"{plain[: LIMIT - 9].rstrip('-')}-{_digest(identity)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
