"""What the pictures of a training and of its trials are drawn with: colours, style, and the way to SVG bytes.

The same drawing gives the same bytes: no date, salted ids, texts kept as texts. Figures are made by hand, never through
pyplot, which keeps global state and a display.
"""

import io
from typing import Any

from mlops_assets.core.metrics import METRIC

# Okabe & Ito (2008): told apart by people of every kind of colour vision, and in grey
MODEL, OTHER, QUIET = "#0072B2", "#D55E00", "#999999"
_STYLE = {
    "svg.hashsalt": "mlops_assets",
    "svg.fonttype": "none",
    "text.parse_math": False,  # a name is no formula
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "legend.frameon": False,
}


def style() -> Any:
    """`with` it: the look of a picture, and ids that are the same every time."""
    from matplotlib import rc_context

    return rc_context(_STYLE)


def new_figure(width: float, height: float) -> Any:
    """An empty figure of so many inches, outside of any global state."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def svg(figure: Any) -> bytes:
    """The figure as an SVG file, the same bytes for the same drawing."""
    out = io.BytesIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()


def words(metric: str) -> str:
    """A metric's name and unit as an axis says them: "log loss in nats"."""
    unit = METRIC[metric].unit
    name = "AUC" if metric == "auc" else metric.replace("_", " ")
    return f"{name} in {unit}" if unit and unit != "label" else name
