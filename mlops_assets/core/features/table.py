"""The feature table of one week: requests and history in, one row per request out.

Here belongs the order of the steps and the shape of the result. What each step means lies in its own file.
"""

from collections.abc import Mapping

import pyarrow as pa

from mlops_assets.core.arrivals import arrival_kinds
from mlops_assets.core.features.asof import Form, native
from mlops_assets.core.features.at_request import at_request
from mlops_assets.core.features.engine import look_up
from mlops_assets.core.features.events import instants_us, question
from mlops_assets.core.features.keys import in_key_order, whole
from mlops_assets.core.features.plan import Need, Series, plan
from mlops_assets.core.features.values import Reader
from mlops_assets.declare import ALWAYS, AtRequest, DataError, DeclarationError, UseCase
from mlops_assets.declare.use_case import LABEL_KNOWN_AT


def feature_table(
    use_case: UseCase,
    requests: pa.Table,
    history: Mapping[str, pa.Table],
    *,
    threads: int | None = None,
    form: Form = native,
) -> pa.Table:
    """One row per request with every declared feature as it was known when it was asked.

    `requests` are the validated rows of the request table for one week, `history[name]` those of every table that a
    feature reads: the request's week and `use_case.lookback_weeks` before it, in any order and chunking, a snapshot
    once. None lost, none doubled, sorted by the request table's key. Columns: the key, the as_of instant, the features
    in declared order (Arrow types of `use_case.kind_of`), the label, `label_known_at`.

    A value is seen from its known_at on (known_at <= as_of); a window is (as_of - window, as_of]; `Last` sees what
    became known after as_of - within. Nulls are passed over, a null known_at means never known. Empty windows: Count
    and Sum 0, Mean, Rate and Last null. A null in a key column gives null for every feature looked up by it, Count and
    Sum included. A feature named like a key column must be that column, and stands once, at its place in the key.

    `threads` for the engine, None: one per core; `form`: `native` or `portable`. The table depends on neither.
    Raises DataError for rows that are not validated (a missing column, a wrong type, a key twice) or do not add up
    within int64, and DeclarationError for features that read a key before it is known.
    """
    needs = plan(use_case)
    asked = in_key_order(f"{use_case.name}.requests", use_case.request_table, requests, _of_requests(use_case))
    as_of = whole(asked[use_case.requests.as_of])
    if as_of.null_count:
        raise DataError(
            f"{use_case.name}.requests[{use_case.requests.as_of!r}] is null in {as_of.null_count} rows: a question "
            "without an instant has no answer. Quarantine such rows."
        )
    as_of_us, _ = instants_us(as_of)
    known = {name: _ordered(use_case, name, history, columns) for name, columns in _of_tables(use_case, needs).items()}
    put = question(use_case.name, needs, asked, as_of_us, known)
    answers = look_up(put.asks, put.events, size=put.size, form=form, threads=threads)
    reader = Reader(use_case, needs, put, answers, as_of_us, known)
    features = {
        f.name: at_request(use_case, f, asked) if isinstance(f, AtRequest) else reader.feature(f)
        for f in use_case.features
    }
    return _laid_out(use_case, asked, features)


def _of_requests(use_case: UseCase) -> list[str]:
    """Columns of the request that are read."""
    names = [use_case.requests.as_of, use_case.label.column, _label_instant(use_case)]
    for feature in use_case.features:
        names.extend(feature.reads if isinstance(feature, AtRequest) else feature.key)
    return names


def _of_tables(use_case: UseCase, needs: Mapping[Series, Need]) -> dict[str, list[str]]:
    """Columns that are read of each table."""
    names: dict[str, list[str]] = {}
    for series in needs:
        at = () if series.at == ALWAYS else (series.at,)
        names.setdefault(series.table, []).extend((*series.table_key, series.column, *at))
    return names


def _ordered(use_case: UseCase, name: str, history: Mapping[str, pa.Table], columns: list[str]) -> pa.Table:
    where = f"{use_case.name}.history[{name!r}]"
    if name not in history:
        raise DataError(f"{where} is missing, there is {sorted(history)}: features read it, give its validated rows.")
    late = [column for column in arrival_kinds(use_case.table(name)) if column in history[name].column_names]
    return in_key_order(where, use_case.table(name), history[name], [*columns, *late])


def _label_instant(use_case: UseCase) -> str:
    return use_case.request_table.known_at[use_case.label.column]


def _laid_out(use_case: UseCase, asked: pa.Table, features: dict[str, pa.Array]) -> pa.Table:
    key, as_of, label = use_case.request_table.key, use_case.requests.as_of, use_case.label.column
    columns: dict[str, pa.Array] = {name: whole(asked[name]) for name in dict.fromkeys([*key, as_of])}
    last = {label: whole(asked[label]), LABEL_KNOWN_AT: whole(asked[_label_instant(use_case)])}
    for name, values in features.items():
        if name in columns and columns[name].equals(values):
            continue
        if name in columns or name in last:
            raise DeclarationError(
                f"{use_case.name}.features[{name!r}] has the name of another column of the feature table, whose values "
                f"differ (its key {key}, {as_of!r}, {label!r}, {LABEL_KNOWN_AT!r}): rename the feature."
            )
        columns[name] = values
    return pa.table(columns | last)
