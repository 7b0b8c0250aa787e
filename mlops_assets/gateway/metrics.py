"""Prometheus' text format (https://prometheus.io/docs/instrumenting/exposition_formats/) of what a gateway counts."""

from collections.abc import Iterable, Mapping
from itertools import accumulate

from mlops_assets.gateway.stats import BOUNDS_S, Family, Labels, Slab

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX = "mlops_gateway_"


def exposition(slab: Slab, gauges: Mapping[str, float] = {}) -> bytes:
    """All counts of all workers, and `gauges` (name -> value) of what the caller knows."""
    found: dict[str, list[tuple[Family, Labels, float]]] = {}
    for family, labels, value in slab.totals():
        found.setdefault(family.name, []).append((family, labels, value))
    lines: list[str] = []
    for name, samples in found.items():
        family = samples[0][0]
        if name.endswith("_bucket"):
            lines += _histogram(family, samples)
        elif not name.endswith("_sum"):
            lines += [f"# HELP {_PREFIX}{name} {family.doc}", f"# TYPE {_PREFIX}{name} {family.kind}"]
            lines += [_line(name, family.labels, labels, value) for _, labels, value in samples]
        else:
            base = name.removesuffix("_sum")
            lines += [_line(f"{base}_sum", family.labels, labels, value) for _, labels, value in samples]
    for name, value in gauges.items():
        lines += [f"# TYPE {_PREFIX}{name} gauge", _line(name, (), (), value)]
    return ("\n".join(lines) + "\n").encode()


def _histogram(family: Family, samples: Iterable[tuple[Family, Labels, float]]) -> list[str]:
    base = family.name.removesuffix("_bucket")
    lines = [f"# HELP {_PREFIX}{base} {family.doc}", f"# TYPE {_PREFIX}{base} histogram"]
    rows = list(samples)
    for start in range(0, len(rows), len(BOUNDS_S) + 1):
        of_arm = rows[start : start + len(BOUNDS_S) + 1]
        for (_, labels, _), value in zip(of_arm, accumulate(value for *_, value in of_arm), strict=True):
            lines.append(_line(family.name, family.labels, labels, value))
        lines.append(_line(f"{base}_count", family.labels[:-1], of_arm[0][1][:-1], sum(v for *_, v in of_arm)))
    return lines


def _line(name: str, names: Labels, values: Labels, value: float) -> str:
    told = ",".join(f'{label}="{of}"' for label, of in zip(names, values, strict=True))
    number = str(int(value)) if value == int(value) else repr(value)
    return f"{_PREFIX}{name}{f'{{{told}}}' if told else ''} {number}"
