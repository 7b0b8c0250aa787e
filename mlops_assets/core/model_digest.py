"""What a model *is*, as 64 hexadecimal characters: blake3 over its learned state in one canonical form.

The same for equal learned state whatever the process, the hash seed, the number of threads, pickled and read back or
not; different when one tree node, one parameter or the seed differs. Files are no identity: skops bytes change at
every save, pickles with the thread count.

Here belongs the form. Every value is hashed as framed bytes: a tag, then its parts, each after its length. What may be
walked is listed; anything else is refused rather than guessed. What only says how fast or how loud (`n_jobs`,
`n_threads`, `verbose`) is left out, and so is the version of scikit-learn, which is recorded beside the digest.
"""

import struct
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from functools import partial
from types import BuiltinFunctionType, FunctionType, MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from blake3 import blake3

from mlops_assets.core.encoding import Encoder
from mlops_assets.declare.errors import DataError

_TAG = b"mlops_assets/model/1"
_IGNORED = frozenset({"n_jobs", "n_threads", "verbose", "_sklearn_version"})
_LIBRARIES = frozenset({"sklearn", "numpy", "scipy"})  # their objects are walked by the state that they pickle
_STANDARD = frozenset({"builtins", "copyreg", "collections", "functools", "_operator"})
_Path = tuple[int, ...]  # the identities of what holds a value


def model_digest(estimator: object, encoder: Encoder | None = None) -> str:
    """64 hexadecimal characters of a fitted estimator and the encoder it was trained behind.

    Raises DataError naming the place of a value that has no canonical form.

    >>> from sklearn.dummy import DummyClassifier
    >>> fitted = DummyClassifier(strategy="prior").fit([[0], [0]], [0, 1])
    >>> model_digest(fitted) == model_digest(DummyClassifier(strategy="prior").fit([[1], [1]], [1, 0]))
    True
    """
    encoded = b"" if encoder is None else encoder.to_json()
    return _hashed([_TAG, encoded, _digest(estimator, "estimator", ())]).hex()


def state_digest(value: object) -> str:
    """64 hexadecimal characters of any value the walk knows: arrays, containers, random states, estimators.

    >>> state_digest({"a": 1, "b": [None, 2.5]}) == state_digest({"b": [None, 2.5], "a": 1})
    True
    """
    return _digest(value, "value", ()).hex()


def _hashed(parts: Iterable[Any]) -> bytes:
    hasher = blake3()
    for part in parts:
        hasher.update(len(part).to_bytes(8, "little"))
        hasher.update(part)
    return hasher.digest()


def _digest(value: Any, where: str, above: _Path) -> bytes:
    """The digest of one value. A cycle is a step back up by so many levels; equal parts need not be one object."""
    spell = _SPELLED.get(type(value))
    if spell is not None:
        return _hashed([type(value).__name__.encode(), spell(value)])
    if isinstance(value, np.generic | np.ndarray) and not value.dtype.hasobject:
        return _hashed([b"array", type(value).__name__.encode(), *_array_bytes(np.asarray(value))])
    if isinstance(value, np.dtype):
        return _hashed([b"dtype", _dtype_name(value)])
    if id(value) in above:
        return _hashed([b"above", str(len(above) - above.index(id(value))).encode()])
    inner = (*above, id(value))
    if isinstance(value, set | frozenset):
        return _hashed([b"set", *sorted(_digest(item, f"{where}{{}}", inner) for item in value)])
    if type(value) in (dict, MappingProxyType):
        return _hashed([b"dict", *_items(value, where, inner)])
    if isinstance(value, dict):  # an OrderedDict, scikit-learn's Bunch: what it holds, not how it remembers it
        return _hashed([b"dict of", _importable(type(value), where).encode(), *_items(value, where, inner)])
    tag, parts = _parts(value, where)
    return _hashed([tag, *(_digest(part, f"{where}{place}", inner) for place, part in parts)])


def _items(mapping: Mapping[Any, Any], where: str, above: _Path) -> list[bytes]:
    pairs = [(_digest(k, f"{where} key", above), _digest(v, f"{where}[{k!r}]", above)) for k, v in mapping.items()]
    return [part for pair in sorted(pairs) for part in pair]


def _parts(value: Any, where: str) -> tuple[bytes, list[tuple[str, Any]]]:
    """The tag of a compound value, and its parts with their places."""
    kind = type(value)
    if kind in (list, tuple):
        return kind.__name__.encode(), [(f"[{n}]", item) for n, item in enumerate(value)]
    if isinstance(value, np.ndarray):
        return b"objects", [("", value.shape), *((f"[{n}]", item) for n, item in enumerate(value.ravel().tolist()))]
    if isinstance(value, slice):
        return b"slice", [("", value.start), ("", value.stop), ("", value.step)]
    if isinstance(value, partial):
        return b"partial", [(".func", value.func), (".args", value.args), (".keywords", value.keywords)]
    if isinstance(value, np.random.RandomState):
        return b"random", [("", value.get_state(legacy=False))]
    if isinstance(value, np.random.Generator):
        return b"random", [("", value.bit_generator.state)]
    if isinstance(value, type | FunctionType | BuiltinFunctionType | np.ufunc):
        return b"named", [("", _importable(value, where))]
    if isinstance(value, Enum):
        return b"enum", [("", _importable(kind, where)), ("", value.name)]
    return b"object", _state(value, where)


def _state(value: Any, where: str) -> list[tuple[str, Any]]:
    """What a library's object pickles: how it is built, from what, its attributes and items."""
    name = _importable(type(value), where)
    if name.startswith("builtins."):
        raise _unknown(value, where)
    try:
        reduced = value.__reduce_ex__(2)
    except TypeError as refused:
        raise _unknown(value, where) from refused
    if isinstance(reduced, str):
        return [("", name), ("", reduced)]
    build, arguments, state, items, pairs = (*reduced, *(None,) * 5)[:5]
    if isinstance(state, tuple) and len(state) == 2 and all(part is None or isinstance(part, dict) for part in state):
        state = (state[0] or {}) | (state[1] or {})  # attributes and slots
    if isinstance(state, dict):
        state = {key: part for key, part in state.items() if key not in _IGNORED}
    listed, mapped = list(items or ()), dict(pairs or ())
    built = [] if arguments and arguments[0] is type(value) else [("", _importable(build, where))]
    return [("", name), *built, (" made from ", arguments), (".", state), ("[]", listed), ("{}", mapped)]


def _importable(thing: Any, where: str) -> str:
    """`module.name` of a class or function of the known libraries; DataError for all others and for lambdas."""
    module = getattr(thing, "__module__", None) or ("numpy" if isinstance(thing, np.ufunc) else "")
    name = getattr(thing, "__qualname__", getattr(thing, "__name__", "<"))
    library = module.partition(".")[0]
    if "<" in name or library not in _LIBRARIES | _STANDARD:
        raise _unknown(thing, where)
    return f"{module}.{name}"


def _unknown(thing: Any, where: str) -> DataError:
    kind = thing if isinstance(thing, type) else type(thing)
    return DataError(
        f"{where} is a {kind.__module__}.{kind.__qualname__}, which has no canonical form: a model's state may hold "
        "numbers, texts, containers, arrays, random states and objects of scikit-learn, numpy and scipy."
    )


def _array_bytes(array: npt.NDArray[Any]) -> list[bytes]:
    """Type, shape and values, little-endian in C order; a structured array field by field, so padding is nothing."""
    head = [_dtype_name(array.dtype), str(array.shape).encode()]
    if array.dtype.names is not None:
        return head + [part for name in array.dtype.names for part in _array_bytes(array[name])]
    plain = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
    return [*head, plain.tobytes()]


def _dtype_name(dtype: np.dtype[Any]) -> bytes:
    if dtype.names is not None:
        return repr([(name, _dtype_name(dtype[name])) for name in dtype.names]).encode()
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return repr((_dtype_name(base), shape)).encode()
    return str(dtype.newbyteorder("<").str).encode()


_SPELLED: Mapping[type, Callable[[Any], bytes]] = {
    type(None): lambda value: b"",
    type(Ellipsis): lambda value: b"",
    bool: lambda value: b"1" if value else b"0",
    int: lambda value: str(value).encode(),
    float: lambda value: struct.pack("<d", value),
    complex: lambda value: struct.pack("<dd", value.real, value.imag),
    str: lambda value: value.encode("utf-8", "surrogatepass"),
    bytes: bytes,
    bytearray: bytes,
    range: lambda value: repr(value).encode(),
}
