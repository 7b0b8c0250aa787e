"""The gate: landed tables in, validated tables out, or a refusal that says why.

`conform` gives columns their declared types, `rows` judges each row (pandera), `deriving` computes the declared
columns, `rules` judges the table, `gate` puts them in order. In = clean + quarantined, exactly, always.
"""

from mlops_assets.core.validation.gate import Validated, validate
from mlops_assets.core.validation.rules import RuleOutcome, rule_names

__all__ = ["RuleOutcome", "Validated", "rule_names", "validate"]
