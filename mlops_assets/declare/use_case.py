"""A use case: one declared lifecycle. Building it checks every name against every other.

This is the whole vocabulary a user needs; `use_cases/flight_delays.py` is the worked example.
"""

import math
from dataclasses import dataclass
from datetime import timedelta

from mlops_assets.declare.checking import freeze, known, no_repeats, refuse
from mlops_assets.declare.concept import ConceptPolicy
from mlops_assets.declare.drift import DriftPolicy
from mlops_assets.declare.errors import DeclarationError
from mlops_assets.declare.features import AtRequest, Feature, Last, Mean, Rate, Sum
from mlops_assets.declare.kinds import ALWAYS, Kind
from mlops_assets.declare.modelling import Label, Model, Requests, Task
from mlops_assets.declare.names import check_name
from mlops_assets.declare.partitions import WEEK, Weekly
from mlops_assets.declare.promotion import LEAST_BLOCKS, METRICS_OF, Promotion
from mlops_assets.declare.retraining import Retraining
from mlops_assets.declare.rollout import LOSSES_OF, RolloutPlan
from mlops_assets.declare.tables import Table

_SPAN = "derive the span of time that matters, as a number"  # what to do instead of showing a model an instant

LABEL_KNOWN_AT = "label_known_at"  # the feature table's column that says when the label may be seen


@dataclass(frozen=True, kw_only=True)
class UseCase:
    """One lifecycle from landed files to drift reports. Raises DeclarationError where a name or rule is wrong."""

    name: str
    doc: str
    owners: tuple[str, ...]
    partitions: Weekly
    tables: tuple[Table, ...]
    requests: Requests
    label: Label
    features: tuple[Feature, ...]
    model: Model
    promotion: Promotion
    drift: DriftPolicy
    rollout: RolloutPlan
    concept: ConceptPolicy
    retraining: Retraining

    def __post_init__(self) -> None:
        check_name("use case", self.name)
        freeze(self, owners=tuple(self.owners), tables=tuple(self.tables), features=tuple(self.features))
        no_repeats(self.name, "tables", (t.name for t in self.tables))
        no_repeats(self.name, "features", (f.name for f in self.features))
        for name in (self.label.column, self.requests.as_of, LABEL_KNOWN_AT):
            if name in (f.name for f in self.features):
                raise refuse(f"{self.name}.features", "name", name, "is the label's or the question's own column",
                             "give the feature another name")  # fmt: skip
        self._check_requests()
        for table in self.tables:
            self._check_zones(table)
        for feature in self.features:
            self._check_feature(feature)
        self._check_promotion()
        self._check_rollout()
        self._check_concept()
        for name in self.model.excluded:
            known(f"{self.name}.model", "excluded", name, (f.name for f in self.features))

    def table(self, name: str) -> Table:
        """The table of that name; KeyError when there is none (a declaration is checked when built)."""
        return {t.name: t for t in self.tables}[name]

    @property
    def request_table(self) -> Table:
        return self.table(self.requests.table)

    @property
    def model_features(self) -> tuple[Feature, ...]:
        """The features the model is trained on, in declared order."""
        return tuple(f for f in self.features if f.name not in self.model.excluded)

    def kind_of(self, feature: Feature) -> Kind:
        """INT, FLOAT, BOOL or STRING: what the feature's values are."""
        if isinstance(feature, AtRequest):
            return feature.kind
        if isinstance(feature, Last):
            return self.table(feature.table).kinds[feature.column]
        if isinstance(feature, Mean | Rate):
            return Kind.FLOAT
        if isinstance(feature, Sum) and self.table(feature.table).kinds[feature.column] is Kind.FLOAT:
            return Kind.FLOAT
        return Kind.INT

    @property
    def lookback_weeks(self) -> int:
        """How many earlier weeks of validated data a week's features may need to see."""
        reach = timedelta(0)
        for feature in self.features:
            if isinstance(feature, AtRequest):
                continue
            age = feature.within if isinstance(feature, Last) else feature.window
            if age is not None:
                reach = max(reach, age + self.table(feature.table).late_by)
        return math.ceil((reach + self.requests.ahead) / WEEK)

    def _check_requests(self) -> None:
        where = f"{self.name}.requests"
        known(where, "table", self.requests.table, (t.name for t in self.tables))
        table = self.request_table
        known(where, "as_of", self.requests.as_of, table.instants)
        if table.snapshot:
            raise refuse(where, "table", table.name, "is a snapshot", "requests come week by week")
        if table.known_at[self.requests.as_of] != ALWAYS:
            raise refuse(where, "as_of", self.requests.as_of, "is not known ALWAYS", "one knows when one asks")
        known(f"{self.name}.label", "column", self.label.column, table.kinds)
        kind = table.kinds[self.label.column]
        allowed = (Kind.BOOL,) if self.label.task is Task.CLASSIFICATION else (Kind.INT, Kind.FLOAT)
        if kind not in allowed:
            raise refuse(f"{self.name}.label", "column", f"{self.label.column} ({kind.value})",
                         f"a {self.label.task.value} label is {' or '.join(k.value for k in allowed)}",
                         "derive such a column")  # fmt: skip
        if table.known_at[self.label.column] == ALWAYS:
            raise refuse(f"{self.name}.label", "column", self.label.column, "is known ALWAYS",
                         "a label known beforehand needs no model: give it its instant")  # fmt: skip

    def _check_promotion(self) -> None:
        where, promotion = f"{self.name}.promotion", self.promotion
        known(where, "metric", promotion.metric, METRICS_OF[self.label.task])
        for name in promotion.slices:
            known(where, "slices", name, (f.name for f in self.features))
        judged = self.model.validation_weeks * WEEK + self.requests.ahead
        if (most := promotion.most_blocks(judged)) < LEAST_BLOCKS:
            raise refuse(where, "block", promotion.block, f"makes at most {promotion.blocks(most)} of the validation "
                         f"weeks and {LEAST_BLOCKS} are the least that judge",
                         "declare a shorter block or more validation_weeks")  # fmt: skip

    def _check_rollout(self) -> None:
        where, plan, asked = f"{self.name}.rollout", self.rollout, self.request_table
        known(where, "quality.loss", plan.quality.loss, LOSSES_OF[self.label.task])
        for name in plan.unit:
            known(where, "unit", name, asked.kinds)
            if asked.known_at[name] not in (ALWAYS, self.requests.as_of):
                raise refuse(where, "unit", name, f"is known at {asked.known_at[name]!r}, after the question is asked",
                             "who answers is decided when one asks")  # fmt: skip

    def _check_concept(self) -> None:
        known(f"{self.name}.concept", "loss", self.concept.loss, LOSSES_OF[self.label.task])
        if self.retraining.cooldown < self.label.maturity:
            raise refuse(f"{self.name}.retraining", "cooldown", self.retraining.cooldown,
                         f"must not be shorter than the label's maturity, {self.label.maturity}",
                         "before that nobody can tell what the last training did")  # fmt: skip

    def _check_zones(self, table: Table) -> None:
        for derived in table.derived:
            zone = getattr(derived.rule, "zone", None)
            if zone is None:
                continue
            where = f"{self.name}.tables[{table.name!r}].derived[{derived.name!r}]"
            known(where, "zone.table", zone.table, (t.name for t in self.tables))
            other = self.table(zone.table)
            known(where, "zone.key", zone.key, (c.name for c in other.columns))
            known(where, "zone.column", zone.column, (c.name for c in other.columns))

    def _check_feature(self, feature: Feature) -> None:
        where = f"{self.name}.features[{feature.name!r}]"
        asked = self.request_table
        own = {n for n, at in asked.known_at.items() if at in (ALWAYS, self.requests.as_of)}
        for name in feature.reads if isinstance(feature, AtRequest) else feature.key:
            known(where, "reads" if isinstance(feature, AtRequest) else "key", name, asked.kinds)
            if name not in own:
                raise DeclarationError(
                    f"{where} reads {name!r} of the request, known at {asked.known_at[name]!r}, after the question is "
                    f"asked at {self.requests.as_of!r}: that is a leak. Look it up (Last, Mean, ...) or drop it."
                )
        if isinstance(feature, AtRequest):
            if feature.kind is Kind.INSTANT:
                raise refuse(where, "kind", feature.kind.value, "a feature is a number, a text or a bool", _SPAN)
            return
        known(where, "table", feature.table, (t.name for t in self.tables))
        table = self.table(feature.table)
        for name in feature.table_key:
            known(where, "table_key", name, table.kinds)
        known(where, "column", feature.column, table.kinds)
        self._check_lookup(where, feature, table)
        kind, missing = self.kind_of(feature), feature.missing
        if missing is not None and not _is_a(missing, kind):
            raise refuse(where, "missing", missing, f"is no {kind.value}", "give a value the feature could have")

    def _check_lookup(self, where: str, feature: Feature, table: Table) -> None:
        assert not isinstance(feature, AtRequest)  # noqa: S101  narrowing for the type checker only
        at, kind = table.known_at[feature.column], table.kinds[feature.column]
        in_time = tuple(dict.fromkeys((ALWAYS, at)))
        for name in feature.table_key:
            if table.known_at[name] not in in_time:
                raise DeclarationError(
                    f"{where} finds {feature.column!r}, known at {at!r}, by the key {name!r}, known at "
                    f"{table.known_at[name]!r}: a row could be found before its key is known, that is a leak. "
                    f"Key it by columns known {' or at '.join(map(repr, in_time))}."
                )
        if isinstance(feature, Last):
            if kind is Kind.INSTANT:
                raise refuse(where, "column", feature.column, "is instant, a feature is a number, a text or a bool",
                             _SPAN)  # fmt: skip
            if (at == ALWAYS) != (feature.within is None):
                raise refuse(where, "within", feature.within, f"{feature.column!r} is known at {at!r}",
                             "a value with an instant needs an age limit, one known ALWAYS has none")  # fmt: skip
            return
        if at == ALWAYS:
            raise refuse(where, "column", feature.column, "is known ALWAYS, so no event makes it known",
                         "a window counts events: declare the instant at which the value becomes known")  # fmt: skip
        if isinstance(feature, Rate) and kind is not Kind.BOOL:
            raise refuse(where, "column", feature.column, f"is {kind.value}", "Rate is the share of true: use a BOOL")
        if isinstance(feature, Sum | Mean):
            if kind not in (Kind.INT, Kind.BOOL, Kind.FLOAT):
                raise refuse(where, "column", feature.column, f"is {kind.value}", "only numbers add up")
            if kind is Kind.FLOAT and decimals(table, feature.column) is None:
                raise refuse(where, "column", feature.column, "is a FLOAT without decimals",
                             "float sums depend on their order: declare decimals=...")  # fmt: skip


def _is_a(value: object, kind: Kind) -> bool:
    """True when a feature of this kind could have the value."""
    if kind is Kind.FLOAT:
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1.7e308
    wanted = {Kind.STRING: str, Kind.BOOL: bool}.get(kind, int)
    fits = not isinstance(value, int) or -(2**63) <= value < 2**63
    return isinstance(value, wanted) and fits and (kind is Kind.BOOL or not isinstance(value, bool))


def decimals(table: Table, column: str) -> int | None:
    """Decimal places of a column for exact sums: declared for a FLOAT, 0 for whole numbers, else None."""
    if table.kinds[column] is not Kind.FLOAT:
        return 0
    declared = {c.name: c.decimals for c in table.columns} | {d.name: d.decimals for d in table.derived}
    return declared[column]
