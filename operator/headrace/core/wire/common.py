"""What both resources share: the strict base, bounded strings, metadata."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema
from pydantic.alias_generators import to_camel

from headrace.core.durations import PATTERN, parse_duration

GROUP = "headrace.dev"
API_VERSION = f"{GROUP}/v1alpha1"


class Wire(BaseModel):
    """camelCase, unknown fields refused, no coercion: `partitions: "6"` is an error, as it is on Kubernetes."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        alias_generator=to_camel,
        validate_by_name=False,
        validate_by_alias=True,
        serialize_by_alias=True,
    )


def _duration(text: str) -> str:
    parse_duration(text)
    return text


# The pattern is for schemas alone: read here, a wrong duration is told in the words of `parse_duration`.
Duration = Annotated[
    str,
    StringConstraints(max_length=40),
    AfterValidator(_duration),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 40, "pattern": PATTERN}),
]
# A DNS label (RFC 1123): what Kubernetes takes for a name.
DnsName = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
# A topic's short name: Kafka's characters without the dot that ends a prefix; upper case has no place in a DNS name.
TopicName = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[a-z]([-_a-z0-9]*[a-z0-9])?$")]
FieldName = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class Metadata(Wire):
    """Kubernetes' ObjectMeta. What the API server writes is accepted and not used."""

    name: DnsName = Field(description="Its name; a pipeline's is the prefix of everything it owns.")
    namespace: DnsName | None = Field(None, description="The namespace; on one machine it is ignored.")
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    uid: str | None = None
    resource_version: str | None = None
    generation: int | None = None
    generate_name: str | None = None
    creation_timestamp: Any = None
    deletion_timestamp: Any = None
    deletion_grace_period_seconds: int | None = None
    finalizers: list[str] | None = None
    managed_fields: list[Any] | None = None
    owner_references: list[Any] | None = None
    self_link: str | None = None


class PlatformRef(Wire):
    name: DnsName = Field("default", description="The StreamPlatform in the same namespace.", examples=["default"])
