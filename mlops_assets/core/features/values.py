"""From the answers of the lookup to the values of a feature.

A window is the difference of two running totals; a mean is one division; the last value is taken from its row.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.core.arrow_types import ARROW
from mlops_assets.core.features.engine import NOTHING, Answers, Ints
from mlops_assets.core.features.events import Question
from mlops_assets.core.features.exact import ratio
from mlops_assets.core.features.keys import whole
from mlops_assets.core.features.plan import Need, Series, microseconds, series_of
from mlops_assets.declare import AtRequest, Count, Feature, Kind, Last, Mean, Rate, Sum, UseCase
from mlops_assets.declare.features import Windowed


class Reader:
    """Reads features out of one lookup's answers."""

    def __init__(
        self,
        use_case: UseCase,
        needs: Mapping[Series, Need],
        question: Question,
        answers: Answers,
        as_of_us: Ints,
        history: Mapping[str, pa.Table],
    ) -> None:
        self._use_case, self._needs, self._question, self._answers = use_case, needs, question, answers
        self._as_of_us, self._history = as_of_us, history

    def feature(self, feature: Feature) -> pa.Array:
        """The feature of every request: shape (requests,), of the Arrow type of `use_case.kind_of`.

        Null where the request's key holds a null, for Count and Sum too: of no one there is nothing to count. Where a
        value is `missing` by declaration, that one instead of null.
        """
        if isinstance(feature, AtRequest):
            raise TypeError(f"feature {feature.name!r} is computed from the request, not looked up")
        values = self._values(series_of(self._use_case, feature), feature)
        return values if feature.missing is None else pc.fill_null(values, pa.scalar(feature.missing, values.type))

    def _values(self, series: Series, feature: Windowed | Last) -> pa.Array:
        if isinstance(feature, Last):
            return self._last(series, feature)
        n, s = self._window(series, microseconds(feature.window))
        decimals = self._needs[series].decimals or 0
        values: pa.Array
        if isinstance(feature, Count):
            values = pa.array(n)
        elif isinstance(feature, Mean | Rate):
            values = ratio(s, n, decimals)
        elif isinstance(feature, Sum) and self._use_case.kind_of(feature) is Kind.FLOAT:
            values = ratio(s, np.ones_like(s), decimals)
        else:
            values = pa.array(s)
        asked = self._question.asked[series]
        if asked.all():
            return values
        return pc.if_else(pa.array(asked), values, pa.scalar(None, values.type))

    def _answer(self, series: Series, offset_us: int, totals: Ints) -> Ints:
        rows = len(self._as_of_us)
        lookup = self._question.start[series] + self._needs[series].offsets_us.index(offset_us)
        return totals[lookup * rows : (lookup + 1) * rows]

    def _window(self, series: Series, window_us: int) -> tuple[Ints, Ints]:
        """Events and their sum that became known in (as_of - window, as_of]."""
        n, s = self._answers.n, self._answers.s
        return (
            self._answer(series, 0, n) - self._answer(series, window_us, n),
            self._answer(series, 0, s) - self._answer(series, window_us, s),
        )

    def _last(self, series: Series, feature: Last) -> pa.Array:
        row = self._answer(series, 0, self._answers.seq)
        none = row == NOTHING
        if feature.within is not None and len(row):
            known = self._question.known_us[series]
            if len(known):
                none = none | (known[row] <= self._as_of_us - microseconds(feature.within))
        taken = whole(self._history[series.table][series.column]).take(pa.array(row, mask=none))
        return taken.cast(ARROW[self._use_case.kind_of(feature)])
