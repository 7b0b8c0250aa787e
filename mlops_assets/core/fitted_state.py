"""What a fitted object holds, looked at without calling any of it: values, shapes, and equality with a known good one.

Here belong the small questions that the checks of models ask. It knows no estimator in particular and no files.
"""

import functools
from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from mlops_assets.declare.errors import DataError

Array = npt.NDArray[Any]
_ROOTS = ("sklearn.", "numpy.", "scipy.")
_SETTINGS_OF_A_LOSS = {"constant_hessian": bool, "approx_hessian": bool, "quantile": float}  # used by fits alone


def damaged(where: str, what: str) -> NoReturn:
    """Raises the DataError that every check of a model raises."""
    raise DataError(f"{where} {what}: damaged, restore the version.")


def numbers(
    where: str, value: object, shape: tuple[int | None, ...], dtype: Any = np.float64, finite: bool = True
) -> Array:
    """`value` itself when it is exactly a plain array of this dtype and shape (None: any length), else DataError."""
    if type(value) is not np.ndarray or value.dtype != np.dtype(dtype) or not value.flags.c_contiguous:
        found = f"{type(value).__name__} of {getattr(value, 'dtype', 'no dtype')}"
        damaged(where, f"is a {found}, must be a plain array of {np.dtype(dtype)}")
    if len(value.shape) != len(shape) or any(m not in (n, None) for n, m in zip(value.shape, shape, strict=True)):
        damaged(where, f"has shape {value.shape}, must be {shape}")
    if finite and value.dtype.kind == "f" and not np.isfinite(value).all():
        damaged(where, "is not finite everywhere")
    return value


def exactly(where: str, value: object, wanted: int) -> None:
    """Raises DataError unless `value` is this whole number (a plain int or numpy's; True is none)."""
    if not (type(value) is int or isinstance(value, np.integer)) or value != wanted:
        damaged(where, f"== {value!r}, must be {wanted}")


def number(where: str, value: object) -> None:
    """Raises DataError unless `value` is one finite number."""
    if type(value) not in (int, float, np.float64) or not np.isfinite(value):  # type: ignore[call-overload]
        damaged(where, f"== {value!r}, must be one finite number")


def two_classes(name: str, model: Any) -> None:
    """Raises DataError unless the classes are exactly [0, 1] (or [False, True]), the second being the positive one."""
    classes = model.classes_
    plain = type(classes) is np.ndarray and classes.ndim == 1 and classes.dtype.kind in "biuf"
    if not plain or classes.tolist() != [0, 1]:
        damaged(f"{name} classes_", f"== {classes!r}, must be [0, 1] in this order")


def state(value: object) -> dict[str, Any]:
    """The attributes of one object: what its `__dict__` holds, nothing computed."""
    return dict(getattr(value, "__dict__", {}))


def objects(root: Any) -> Iterator[Any]:
    """Every scikit-learn, numpy or scipy object inside `root`, once, itself first."""
    waiting, seen = [root], set()
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list | tuple | set):
            waiting.extend(value)
        elif isinstance(value, functools.partial):
            waiting.extend((value.func, value.args, value.keywords))
        elif isinstance(value, np.ndarray):
            waiting.extend(value.ravel().tolist() if value.dtype.hasobject else ())
        elif type(value).__module__.startswith(_ROOTS):
            yield value
            waiting.extend(state(value).values())


def nothing_shadowed(value: object) -> None:
    """Raises DataError when an attribute from a file stands before a method or a property of the object's class."""
    if shadowed := sorted(name for name in state(value) if hasattr(type(value), name)):
        damaged(type(value).__name__, f"holds {shadowed} in place of its class's own")


def same(one: object, other: object) -> bool:
    """Whether two objects are equal down to the last attribute, types included. `other` is ours: it sets the pace."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        equal = one.dtype == other.dtype and one.shape == other.shape and not other.dtype.hasobject
        return bool(equal and np.array_equal(one, other, equal_nan=other.dtype.kind == "f"))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in other)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, functools.partial) and isinstance(other, functools.partial):
        return same((one.func, one.args, one.keywords), (other.func, other.args, other.keywords))
    if isinstance(one, float | np.floating) and isinstance(other, float | np.floating):
        return bool(one == other or (one != one and other != other))
    if isinstance(one, bool | int | str | slice | np.generic):
        return bool(one == other)
    if not type(other).__module__.startswith("sklearn.") or isinstance(other, type):
        return False
    return same(state(one), state(other))


def check_loss(name: str, loss: Any, expected: tuple[type, ...]) -> None:
    """Raises DataError unless `loss` is one of the expected classes, and in the state in which it is made."""
    if type(loss) not in expected:
        damaged(f"{name} _loss", f"is a {type(loss).__name__}, must be one of {[kind.__name__ for kind in expected]}")
    made, found = state(type(loss)()), state(loss)
    for setting, kind in _SETTINGS_OF_A_LOSS.items():
        if setting in made and type(found.get(setting)) is kind:
            made[setting] = found[setting]
    if not same(found, made):
        damaged(f"{name} _loss", f"is no {type(loss).__name__} as scikit-learn makes it")
