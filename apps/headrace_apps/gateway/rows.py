"""Where the views still look for the narrow row semantics; their place is `headrace_apps.records.json_check`."""

from headrace_apps.records.json_check import (
    RowCheck,
    canonical_timestamp,
    fits_bigint,
    fits_date,
    fits_double,
    fits_epoch_millis,
    fits_timestamp,
)

__all__ = [
    "RowCheck",
    "canonical_timestamp",
    "fits_bigint",
    "fits_date",
    "fits_double",
    "fits_epoch_millis",
    "fits_timestamp",
]
