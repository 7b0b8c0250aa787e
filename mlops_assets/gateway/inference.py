"""Open Inference Protocol v2 (https://github.com/open-inference/open-inference-protocol): /v2.

Here belong its tensors: one input for each feature (or column), of shape `[rows]` or `[rows, 1]`; one output. A version
that is named must be the one that answers: which does is decided by the rollout and by nobody else. The protocol's `id`
is echoed and no more, since clients count from 1: the id of the prediction is that of the header.
"""

from typing import Any

import msgspec

from mlops_assets.core.rollout.words import Arm
from mlops_assets.gateway.context import Gateway
from mlops_assets.gateway.invocations import content_of, told
from mlops_assets.gateway.refusals import Refused, malformed
from mlops_assets.gateway.replies import JSON, Incoming, Reply, decoded
from mlops_assets.gateway.requests import table_of_columns

_TYPES = (
    "BOOL",
    "UINT8",
    "UINT16",
    "UINT32",
    "UINT64",
    "INT8",
    "INT16",
    "INT32",
    "INT64",
    "FP16",
    "FP32",
    "FP64",
    "BYTES",
)
_OUTPUT = "prediction"
Value = str | int | float | bool | None


class Tensor(msgspec.Struct):
    """One column: `data` flat, or a list for each row."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Value | list[Value]]
    parameters: dict[str, Any] | None = None


class Output(msgspec.Struct):
    """An output that is asked for; there is one, `prediction`."""

    name: str
    parameters: dict[str, Any] | None = None


class Inference(msgspec.Struct):
    """A request of the protocol."""

    inputs: list[Tensor]
    id: str | None = None
    parameters: dict[str, Any] | None = None
    outputs: list[Output] | None = None


class Predicted(msgspec.Struct):
    """The one output."""

    name: str
    shape: list[int]
    datatype: str
    data: list[float]


class Inferred(msgspec.Struct, omit_defaults=True):
    """A reply of the protocol."""

    model_name: str
    model_version: str
    outputs: list[Predicted]
    id: str | None = None


_DECODER = msgspec.json.Decoder(Inference)


async def infer(gateway: Gateway, incoming: Incoming, id_: str) -> Reply:
    """The predictions of the request's tensors."""
    version = _answering(gateway, incoming.path)
    if incoming.content_type not in (JSON, ""):
        raise Refused(415, "content_type", f"content type {incoming.content_type[:60]!r}, must be {JSON}.")
    asked: Inference = decoded(incoming.body, _DECODER)
    for output in asked.outputs or ():
        if output.name != _OUTPUT:
            raise malformed("$.outputs", output.name, f"must be {_OUTPUT!r}", "leave outputs out")
    names = [tensor.name for tensor in asked.inputs]
    if len(set(names)) != len(names):
        raise malformed("$.inputs", names[:20], "name an input twice", "name each once")
    table = table_of_columns({tensor.name: _column(tensor) for tensor in asked.inputs}, "$.inputs")
    question = await gateway.asking.question(table)
    answer = await gateway.batcher.answer(id_, question, content_of(incoming.body))
    if version is not None and answer.versions != [version]:
        raise _no_version(gateway, version)
    made = Inferred(
        model_name=gateway.use_case.name,
        model_version=",".join(map(str, answer.versions)),
        id=id_ if asked.id is None else asked.id,
        outputs=[Predicted(name=_OUTPUT, shape=[len(answer.scores)], datatype="FP64", data=answer.scores)],
    )
    return Reply(msgspec.json.encode(made), headers=told(gateway, id_, answer))


async def server(gateway: Gateway, _incoming: Incoming, _id: str) -> Reply:
    """What the server is."""
    from importlib.metadata import version

    return _json({"name": "mlops_assets", "version": version("mlops-assets"), "extensions": []})


async def live(_gateway: Gateway, _incoming: Incoming, _id: str) -> Reply:
    """The process lives."""
    return _json({"live": True})


async def model(gateway: Gateway, incoming: Incoming, _id: str) -> Reply:
    """What the model takes and gives: every feature may be given."""
    _answering(gateway, incoming.path)
    kinds = gateway.asking.kinds
    inputs = [
        {"name": name, "shape": [-1], "datatype": _DATATYPE[kinds[name].value]} for name in gateway.asking.features
    ]
    versions = [str(version) for version in _versions(gateway)]
    outputs = [{"name": _OUTPUT, "shape": [-1], "datatype": "FP64"}]
    told_ = {"name": gateway.use_case.name, "versions": versions, "platform": "scikit-learn"}
    return _json({**told_, "inputs": inputs, "outputs": outputs})


async def model_ready(gateway: Gateway, incoming: Incoming, _id: str) -> Reply:
    """Whether the champion, or the version that is named, would answer at once."""
    named = _answering(gateway, incoming.path)
    version = gateway.watch.current().row.champion if named is None else named
    ready = gateway.slots.is_ready(version)
    return _json({"name": gateway.use_case.name, "ready": ready}, 200 if ready else 503)


_DATATYPE = {"int": "INT64", "clock": "INT64", "float": "FP64", "bool": "BOOL", "string": "BYTES", "instant": "BYTES"}


def _json(value: Any, status: int = 200) -> Reply:
    return Reply(msgspec.json.encode(value), status, headers=((b"retry-after", b"1"),) if status == 503 else ())


def _versions(gateway: Gateway) -> list[int]:
    """The versions that answer now, ascending."""
    row = gateway.watch.current().row
    arms = {Arm.CHAMPION: row.share < 1, Arm.CHALLENGER: row.share > 0 and row.challenger is not None}
    versions = {Arm.CHAMPION: row.champion, Arm.CHALLENGER: row.challenger}
    return sorted(version for arm, version in versions.items() if arms[arm] and version is not None)


def _answering(gateway: Gateway, path: Any) -> int | None:
    """The version that a path names, None when it names none. Raises Refused unless it alone answers now."""
    if path["name"] != gateway.use_case.name:
        raise Refused(404, "no_model", f"there is no such model, must be {gateway.use_case.name!r}.")
    named = path.get("version")
    if named is None:
        return None
    version = int(named) if named.isascii() and named.isdigit() and len(named) < 10 else -1
    if _versions(gateway) != [version]:
        raise _no_version(gateway, version)
    return version


def _no_version(gateway: Gateway, version: int) -> Refused:
    answering = " and ".join(map(str, _versions(gateway)))
    return Refused(
        404,
        "no_version",
        f"version {version} does not answer all requests now, {answering} does: who answers is decided by the rollout, "
        "ask without a version.",
    )


def _column(tensor: Tensor) -> list[Any]:
    where = f"$.inputs[{tensor.name[:40]}]"
    if tensor.datatype not in _TYPES:
        raise malformed(f"{where}.datatype", tensor.datatype, f"must be one of {', '.join(_TYPES)}", "correct it")
    if len(tensor.shape) not in (1, 2) or tensor.shape[1:] not in ([], [1]):
        raise malformed(f"{where}.shape", tensor.shape, "must be [rows] or [rows, 1]", "send a tensor for each feature")
    values: list[Any] = []
    for value in tensor.data:
        if isinstance(value, list):
            if len(value) != 1:
                raise malformed(f"{where}.data", value, "must be one value a row", "send a tensor for each feature")
            values.append(value[0])
        else:
            values.append(value)
    if len(values) != tensor.shape[0]:
        raise malformed(f"{where}.data", f"{len(values)} values", f"must be {tensor.shape[0]}, as its shape says",
                        "correct one of them")  # fmt: skip
    return values
