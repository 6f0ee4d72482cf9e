"""The samples that the demo runs, by name and in the order in which they start."""

from __future__ import annotations

from headrace_apps.demo.sample import Sample
from headrace_apps.demo.samples.clickstream import CLICKSTREAM
from headrace_apps.demo.samples.iot import IOT
from headrace_apps.demo.samples.transactions import TRANSACTIONS

SAMPLES: dict[str, Sample] = {sample.name: sample for sample in (CLICKSTREAM, IOT, TRANSACTIONS)}
