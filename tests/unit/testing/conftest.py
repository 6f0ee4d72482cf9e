"""A pipeline with two jobs in a row, to read fixtures for."""

from __future__ import annotations

import pytest

from headrace.core.load import load
from headrace.core.pipeline import Pipeline

MANIFEST = """\
apiVersion: headrace.dev/v1alpha1
kind: StreamPipeline
metadata: {name: shop}
spec:
  topics:
    - name: orders
      keyFields: [customer]
      id: {field: order_id, window: 1h}
      eventTime: {field: at, outOfOrderness: 1s}
      schema:
        definition: |
          {"type": "object", "required": ["order_id", "customer", "at"], "properties": {
            "order_id": {"type": "string"}, "customer": {"type": "string"}, "amount": {"type": "number"},
            "at": {"type": "string", "format": "date-time"}}}
    - name: big
      keyFields: [customer]
      schema:
        definition: |
          {"type": "object", "required": ["customer"], "properties": {
            "order_id": {"type": "string"}, "customer": {"type": "string"}, "amount": {"type": "number"}}}
    - name: customers
      keyFields: [customer]
      cleanupPolicy: [compact]
      schema:
        definition: |
          {"type": "object", "required": ["customer"], "properties": {
            "customer": {"type": "string"}, "orders": {"type": "integer"}}}
  jobs:
    - {name: big, inputs: [orders], output: big, sql: "SELECT order_id, customer, amount FROM orders WHERE amount > 100"}
    - {name: customers, inputs: [big], output: customers,
       sql: "SELECT customer, COUNT(*) AS orders FROM big GROUP BY customer"}
"""


@pytest.fixture(scope="session")
def shop() -> Pipeline:
    loaded = load(MANIFEST, "pipeline.yaml")
    assert not loaded.problems, loaded.problems
    return loaded.pipelines[0]
