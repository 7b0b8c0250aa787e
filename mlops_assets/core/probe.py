"""A model's probe: a few rows of features with the answers it gave when it was trained.

Whoever loads the model again asks it the same and compares, bit for bit: a wrong file, library or encoder is found
before a user is answered by it. The rows are validation rows, so the model has not been fitted to them.
"""

import numpy as np
import pandas as pd

from mlops_assets.core.scoring import Scorer
from mlops_assets.declare.errors import DataError

ROWS = 64
_ANSWERS = ("prediction", "baseline")


def probe(frame: pd.DataFrame, scorer: Scorer, baseline: Scorer) -> pd.DataFrame:
    """At most 64 rows of the frame, evenly, with the features of the model and both answers (float64)."""
    places = np.unique(np.linspace(0, len(frame) - 1, min(ROWS, len(frame))).astype(np.int64))
    rows = frame.iloc[places][list(scorer.encoder.features)].reset_index(drop=True)
    answers = {"prediction": scorer.predict(rows), "baseline": baseline.predict(rows)}
    return rows.assign(**answers)


def check_probe(rows: pd.DataFrame, scorer: Scorer, *, answer: str = "prediction") -> None:
    """Raises DataError unless the scorer answers the probe as it did when it was trained; `answer`: or "baseline".

    Also refused: a probe of no rows, which would prove nothing.
    """
    if rows.empty or answer not in _ANSWERS:
        raise DataError(f"the probe has {len(rows)} rows and no column {answer!r}: train the model again.")
    met, due = scorer.predict(rows), rows[answer].to_numpy(dtype=np.float64)
    differs = met != due
    if differs.any():
        row = int(np.flatnonzero(differs)[0])
        raise DataError(
            f"the loaded model answers {int(differs.sum())} of {len(rows)} probe rows otherwise than when it was "
            f"trained (row {row}: {met[row]!r}, must be {due[row]!r}): it is not served; restore it, or the libraries "
            "and the processor it was trained with (`mlops reproduce`)."
        )
