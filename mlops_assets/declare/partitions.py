"""The one time axis all assets of a use case share: ISO weeks, named by their Monday.

A key is a date, "2013-02-18"; the week runs from that Monday 00:00 to the next in the declared time zone.
Pure calendar arithmetic: the present moment comes in as an argument.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from mlops_assets.declare.checking import a_zone, refuse
from mlops_assets.declare.errors import DataError

WEEK = timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class Weekly:
    """Weeks from `start` (a Monday) up to `end` (a Monday, exclusive; None = goes on).

    >>> year = Weekly(start="2012-12-31", end="2014-01-06", timezone="America/New_York")
    >>> year.keys()[:2], year.shift("2013-01-07", -1), year.bounds("2013-01-07")[0].isoformat()
    (('2012-12-31', '2013-01-07'), '2012-12-31', '2013-01-07T05:00:00+00:00')
    """

    start: str
    end: str | None = None
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        where = "Weekly"
        for field, value in (("start", self.start), ("end", self.end)):
            if value is None and field == "end":
                continue
            try:
                day = date.fromisoformat(str(value))
            except ValueError:
                raise refuse(where, field, value, "is not a date", "write it like '2013-01-07'") from None
            if day.isoformat() != value:  # 20130107 and 2013-W02-1 are dates too, but no keys
                raise refuse(where, field, value, "is not how a key is written", f"write {day.isoformat()!r}")
            if day.weekday() != 0:
                raise refuse(where, field, value, "is not a Monday", "weeks are ISO weeks: name one by its Monday")
        if self.end is not None and self.end <= self.start:
            raise refuse(where, "end", self.end, f"must come after start == {self.start!r}", "it is exclusive")
        a_zone(where, "timezone", self.timezone)

    def keys(self, now: datetime | None = None) -> tuple[str, ...]:
        """All keys in order. An axis without `end` needs `now` (aware) and stops at the last complete week."""
        if self.end is not None:
            stop = date.fromisoformat(self.end)
            if now is not None:
                stop = min(stop, now.astimezone(ZoneInfo(self.timezone)).date())
        elif now is None:
            raise ValueError("an axis without an end needs the present moment")
        else:
            stop = now.astimezone(ZoneInfo(self.timezone)).date()
        first = date.fromisoformat(self.start)
        return tuple((first + n * WEEK).isoformat() for n in range(max(0, (stop - first) // WEEK)))

    def check(self, key: str, now: datetime | None = None) -> str:
        """`key` itself, or DataError: what was met, which keys exist, the nearest one."""
        try:
            day = date.fromisoformat(key)
        except ValueError:
            day = None
        keys = self.keys(now)
        if key in keys:
            return key
        nearest = ""
        if day is not None and keys:
            monday = (day - timedelta(days=day.weekday())).isoformat()
            nearest = f"; that day lies in week {monday!r}" if monday in keys else ""
        span = f"{keys[0]!r} .. {keys[-1]!r}" if keys else "none yet"
        raise DataError(
            f"partition key {key!r} does not exist: keys are Mondays {span} ({len(keys)} weeks){nearest}. "
            "Nothing was run."
        )

    def week_of(self, moment: datetime) -> str:
        """The key of the week an aware instant lies in; may lie outside the axis.

        >>> Weekly(start="2012-12-31", timezone="America/New_York").week_of(datetime(2013, 1, 7, 4, 59, tzinfo=UTC))
        '2012-12-31'
        """
        day = moment.astimezone(ZoneInfo(self.timezone)).date()
        return (day - timedelta(days=day.weekday())).isoformat()

    def shift(self, key: str, weeks: int) -> str:
        """The key `weeks` later (earlier when negative); may lie outside the axis."""
        return (date.fromisoformat(key) + weeks * WEEK).isoformat()

    def between(self, first: str, last: str) -> tuple[str, ...]:
        """The keys from `first` to `last`, both of them included; none when it lies before.

        >>> Weekly(start="2012-12-31").between("2012-12-31", "2013-01-07")
        ('2012-12-31', '2013-01-07')
        """
        begin, end = date.fromisoformat(first), date.fromisoformat(last)
        return tuple((begin + n * WEEK).isoformat() for n in range((end - begin) // WEEK + 1))

    def window(self, key: str, start: int, end: int) -> tuple[str, ...]:
        """The keys from `start` to `end` weeks after `key` (negative: before), without those before the axis begins.

        >>> Weekly(start="2012-12-31").window("2013-01-07", -5, 0)
        ('2012-12-31', '2013-01-07')
        """
        return tuple(k for k in (self.shift(key, n) for n in range(start, end + 1)) if k >= self.start)

    def bounds(self, key: str) -> tuple[datetime, datetime]:
        """The week as UTC instants, half open: [first moment, first moment of the next week)."""
        zone = ZoneInfo(self.timezone)
        monday = date.fromisoformat(key)
        begin = datetime.combine(monday, time(), tzinfo=zone)
        return begin.astimezone(UTC), datetime.combine(monday + WEEK, time(), tzinfo=zone).astimezone(UTC)
