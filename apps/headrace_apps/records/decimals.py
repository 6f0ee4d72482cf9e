"""Decimals: the JSON form is a string of digits with exactly `scale` of them after the point. Used by all of `records`.

A number is taken too. A float never is: it may have been rounded, so whoever parses JSON hands over a Decimal.
"""

from __future__ import annotations

import re
from decimal import Decimal, localcontext
from typing import Any

from headrace_apps.records.outcome import UnfitError

_DIGITS = re.compile(r"-?[0-9]{1,80}(?:\.[0-9]{1,80})?")
_WORK = 200
"""Digits of the arithmetic; more than any value that gets this far has."""


def parse_decimal(value: Any, precision: int, scale: int) -> Decimal:
    """The value at exactly `scale` digits. Raises UnfitError when it has more, or more than `precision` in all."""
    kind = type(value)
    if kind is str:
        if _DIGITS.fullmatch(value) is None:
            raise UnfitError('must be a decimal, as "12.50"')
        number = Decimal(value)
    elif kind is int:
        if not -(10**precision) < value < 10**precision:
            raise _too_wide(precision, scale)
        number = Decimal(value)
    elif kind is float:
        # repr is the shortest text of the float: what came in, unless it had more than 15 digits.
        number = Decimal(repr(value))
    elif kind is Decimal:
        number = value
    else:
        raise UnfitError('must be a decimal, as "12.50"')
    return fit_decimal(number, precision, scale)


def fit_decimal(number: Decimal, precision: int, scale: int) -> Decimal:
    """As `parse_decimal`, of a number."""
    if not number.is_finite():
        raise UnfitError('must be a decimal, as "12.50"')
    # adjusted() bounds the work: 1e999999999 must not be written out.
    if number and number.adjusted() >= precision - scale:
        raise _too_wide(precision, scale)
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)  # noqa: S101 - it is finite
    if exponent < -_WORK:
        raise _too_wide(precision, scale)
    with localcontext() as context:
        context.prec = 2 * _WORK
        fitted = number.quantize(Decimal(1).scaleb(-scale))
        if fitted != number:
            raise _too_wide(precision, scale)
    return fitted if fitted else abs(fitted)  # no -0.00


def decimal_text(number: Decimal) -> str:
    """Digits, never an exponent."""
    return f"{number:f}"


def unscaled(number: Decimal, scale: int) -> int:
    """The number times 10 to the `scale`, which makes it whole."""
    with localcontext() as context:
        context.prec = 2 * _WORK
        return int(number.scaleb(scale))


def from_unscaled(value: int, precision: int, scale: int) -> Decimal:
    """The inverse. Raises UnfitError beyond the precision."""
    if not -(10**precision) < value < 10**precision:
        raise UnfitError(f"has more than {precision} digits")
    with localcontext() as context:
        context.prec = 2 * _WORK
        return Decimal(value).scaleb(-scale)


def _too_wide(precision: int, scale: int) -> UnfitError:
    return UnfitError(f"must have at most {precision - scale} digits before the point and {scale} after it")
