"""Values of the Postgres door: what clients send as parameters, in the binary format."""

from __future__ import annotations

import struct
from decimal import Decimal, localcontext

import pytest

from imputedb.service.postgres import values
from imputedb.service.postgres.formats import Malformed

NUMBERS = ("0", "0.00", "-1", "10000", "1.50", "0.00012", "-99999999.9999", "12345678901234567890123456789012345678",
           "1.2345678901234567890123456789012345678", "-0.12345678901234567890123456789012345678",
           "100000000000000000000000000000000000.10", "NaN")  # fmt: skip


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("digits", [3, 28])
def test_a_decimal_number_is_read_as_it_was_written(number: str, digits: int) -> None:
    with localcontext(prec=digits):
        assert str(values.parameter(1700, values.numeric(number), is_binary=True)) == number
        assert str(values.parameter(1700, number.encode(), is_binary=False)) == number


def test_what_no_decimal_can_hold_is_infinite_or_refused() -> None:
    for sign, infinite in ((0xD000, "Infinity"), (0xF000, "-Infinity")):
        assert values.parameter(1700, struct.pack("!HhHH", 0, 0, sign, 0), is_binary=True) == Decimal(infinite)
    for data in (struct.pack("!HhHH", 0, 0, 0x1234, 0), struct.pack("!HhHHH", 1, 0, 0, 0, 10_000)):
        with pytest.raises(Malformed, match="not valid for type 1700"):
            values.parameter(1700, data, is_binary=True)
    for number in ("1" * 39, "0." + "1" * 39, "1E+38", "1E-39"):
        for data, is_binary in ((number.encode(), False), (values.numeric(number), True)):
            with pytest.raises(Malformed, match="more than 38 digits"):
                values.parameter(1700, data, is_binary=is_binary)
