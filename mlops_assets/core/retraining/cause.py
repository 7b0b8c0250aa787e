"""Why a training is asked for, and its name: the same cause is the same name, whoever saw it and however often."""

from dataclasses import asdict, dataclass
from enum import Enum

from mlops_assets.core.versions import record_version


class Signal(Enum):
    """What asks for a training."""

    DATA = "data drift"
    CONCEPT = "concept drift"
    AGE = "age"


@dataclass(frozen=True, kw_only=True)
class Cause:
    """What a sensor saw: `signal` about `model` (`use_case@version`), held against `reference`, in `window`.

    `model_digest` and `reference` are versions (hexadecimal) of the model and of what it was compared with; `window` is
    a partition key. The report's own bytes are not in it: a report made again is no new cause.
    """

    use_case: str
    model: str
    model_digest: str
    reference: str
    window: str
    signal: Signal

    @property
    def key(self) -> str:
        """The name of the cause: 64 hexadecimal characters of blake3 over its fields.

        >>> cause = Cause(use_case="flights", model="flights@1", model_digest="ab", reference="cd",
        ...               window="2013-04-22", signal=Signal.DATA)
        >>> cause.key[:16]
        'd0a405554d788150'
        """
        return record_version(asdict(self) | {"signal": self.signal.name})
