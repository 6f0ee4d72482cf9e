"""Readings of a fleet of sensors, in Avro; averages, heat and silence worked out again."""

from __future__ import annotations

from headrace_apps.demo.sample import Sample, Sign
from headrace_apps.demo.samples.iot import names
from headrace_apps.demo.samples.iot.author import Fleet
from headrace_apps.demo.samples.iot.expectation import expect
from headrace_apps.demo.samples.iot.malformed import malformed_records

IOT = Sample(
    name=names.PIPELINE,
    share=0.4,
    events=names.READINGS,
    outputs=(names.DEVICE_AVERAGES, names.ALERTS),
    followed=names.DEVICE_AVERAGES,
    one_to_one=False,
    view="device-averages",
    signs=(Sign(names.DEVICE_AVERAGES), Sign(names.ALERTS, b"TooHot"), Sign(names.ALERTS, b"Silent")),
    peers=0.25,
    references_view=None,
    author=Fleet,
    malformed=malformed_records,
    expect=expect,
)
