"""`schema check` and `register` on a real registry: it and the named fields agree, and a check registers nothing."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from headrace.cli.main import app
from headrace.core.plan import Subject
from headrace.local.loopback import loopback_client
from headrace.registry.compatibility import Verdict, check

from ...unit.core.schema_changes import CHANGES, Change

pytestmark = pytest.mark.integration


async def checked(registry: str, name: str, change: Change) -> tuple[Verdict, httpx.Response]:
    """What `check` says about the change, and the versions that there are afterwards."""
    async with loopback_client(base_url=registry) as client:
        body = {"schema": change.old, "schemaType": change.format.upper()}
        (await client.post(f"/subjects/{name}/versions", json=body)).raise_for_status()
        (await client.put(f"/config/{name}", json={"compatibility": change.level})).raise_for_status()
        verdict = await check(client, Subject(name, change.format, change.level, change.new))
        return verdict, await client.get(f"/subjects/{name}/versions")


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_the_registry_refuses_what_breaks_a_field_and_nothing_else(
    registry: str, topic_prefix: str, change: Change
) -> None:
    verdict, versions = asyncio.run(checked(registry, f"{topic_prefix}{change.format}", change))
    assert verdict.state == ("compatible" if change.field is None else "incompatible")
    assert [reason.split(":")[0] for reason in verdict.reasons] == ([f"field {change.field}"] if change.field else [])
    assert versions.json() == [1]


MANIFEST = """\
apiVersion: headrace.dev/v1alpha1
kind: StreamPipeline
metadata: {{name: {name}}}
spec:
  topics:
    - name: orders
      schema: {{format: JSON, definition: '{definition}'}}
  ingest: [{{topic: orders}}]
"""


def test_schemas_of_a_manifest_are_registered_and_a_wrong_change_is_refused_by_name(
    registry: str, topic_prefix: str, tmp_path: Path
) -> None:
    file = tmp_path / "pipeline.yaml"

    def headrace(command: str, amount: str) -> tuple[int, str]:
        definition = json.dumps({"type": "object", "properties": {"amount": {"type": amount}}})
        file.write_text(MANIFEST.format(name=topic_prefix.rstrip("."), definition=definition))
        result = CliRunner().invoke(app, ["schema", command, "-f", str(file), "--registry", registry])
        return result.exit_code, result.output

    code, said = headrace("check", "integer")
    assert code == 0
    assert "would be the first version" in said
    assert headrace("register", "integer")[0] == 0
    assert "is registered as version 1" in headrace("check", "integer")[1]
    code, said = headrace("check", "string")
    assert code == 1
    assert "field amount: the registered one has integer, the new version takes string only" in said
    code, said = headrace("register", "string")
    assert code == 1
    assert "nothing was registered" in said
    assert headrace("register", "number")[0] == 0
    assert "is registered as version 2" in headrace("check", "number")[1]
