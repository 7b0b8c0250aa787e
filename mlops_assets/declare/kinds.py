"""What a value can be, and the word for a value that may always be seen."""

from enum import Enum

ALWAYS = "always"  # known long before anyone asks: a timetable, an aircraft's year of build


class Kind(Enum):
    """What a value is. The Arrow type it has after validation stands in brackets."""

    INT = "int"  # [int64]
    FLOAT = "float"  # [float64, finite or null]
    STRING = "string"  # [string]
    BOOL = "bool"  # [bool]
    INSTANT = "instant"  # [timestamp us, UTC]
    CLOCK = "clock"  # [int64] wall clock as hhmm, 0..2400, where 2400 is the midnight that ends the day
