"""`check(client, subject) → Verdict`: may this schema become the subject's next version? Registers nothing.

The registry decides. What breaks is named by `core.evolution`, since Apicurio's answer is a bare no.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

import httpx

from headrace.core.evolution import breaks_of
from headrace.core.plan import Subject
from headrace.core.schema import canonical_text

NOT_FOUND = 404
UNPROCESSABLE = 422

State = Literal["first version", "unchanged", "compatible", "incompatible", "invalid"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reasons` name the fields, or are the registry's own words; empty unless incompatible or invalid.

    `against` is the newest registered version, 0 when there is none.
    """

    subject: str
    compatibility: str
    state: State
    against: int = 0
    reasons: tuple[str, ...] = ()

    @property
    def allowed(self) -> bool:
        return self.state not in ("incompatible", "invalid")

    def __str__(self) -> str:
        match self.state:
            case "first version":
                return f"{self.subject}: would be the first version"
            case "unchanged":
                return f"{self.subject}: is registered as version {self.against}"
            case "compatible":
                return f"{self.subject}: {self.compatibility} compatible with version {self.against}"
            case "invalid":
                return f"{self.subject}: is refused by the registry: {'; '.join(self.reasons)}"
        lines = [f"{self.subject}: not {self.compatibility} compatible with version {self.against}"]
        return "\n".join([*lines, *(f"  {reason}" for reason in self.reasons)])


async def check(client: httpx.AsyncClient, subject: Subject) -> Verdict:
    """Raises httpx.HTTPError when the registry does not answer.

    By the subject's declared compatibility. A registry checks by the level that it has for the subject; where the
    manifest changes that level, the registry cannot be asked without changing it, and the fields alone decide.
    """
    path = quote(subject.name, safe="")
    latest = await client.get(f"/subjects/{path}/versions/latest")
    level = subject.compatibility
    if latest.status_code == NOT_FOUND:
        return Verdict(subject.name, level, "first version")
    registered: dict[str, Any] = latest.raise_for_status().json()
    old, version = str(registered["schema"]), int(registered["version"])
    if canonical_text(old) == canonical_text(subject.definition):
        return Verdict(subject.name, level, "unchanged", version)
    reasons = tuple(str(one) for one in breaks_of(subject.format, old, subject.definition, level))
    config = await client.get(f"/config/{path}")
    if level == "NONE" or (config.is_success and config.json().get("compatibilityLevel") != level):
        state: State = "incompatible" if reasons else "compatible"
        return Verdict(subject.name, level, state, version, reasons)
    transitive = level.endswith("_TRANSITIVE")
    question = f"/compatibility/subjects/{path}/versions{'' if transitive else '/latest'}?verbose=true"
    body = {"schema": subject.definition, "schemaType": subject.format.upper()}
    answer = await client.post(question, json=body)
    if answer.status_code == UNPROCESSABLE:
        return Verdict(subject.name, level, "invalid", version, (reason_of(answer),))
    content = answer.raise_for_status().json()
    if content.get("is_compatible"):
        return Verdict(subject.name, level, "compatible", version)
    told = tuple(" ".join(str(message).split()) for message in content.get("messages") or ())
    fallback = told or ("the registry does not say which field",)
    return Verdict(subject.name, level, "incompatible", version, reasons or fallback)


def reason_of(answer: httpx.Response) -> str:
    """Why the registry refuses, in one line."""
    try:
        content: Any = answer.json()
        return " ".join(str(content.get("message", content)).split())[:500]
    except ValueError:
        return f"HTTP {answer.status_code}"
