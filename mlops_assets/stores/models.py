"""Fitted estimators as bytes and back: skops, with our own list of what a file may rebuild. Never a pickle.

Here belong saving, loading, and every check between bytes and an estimator that may be used. It knows no registry and
no paths. The list of trusted types is the declaration's (`Estimator.trusted`), never the file's own.
Equal estimators made by equal work give equal bytes: skops' object ids and dates are renumbered.
"""

import io
import json
import zipfile
from collections.abc import Iterable
from typing import Any

from mlops_assets.core.checked_models import check_model, unchecked
from mlops_assets.declare.errors import DataError, DeclarationError

# HistGradientBoosting wraps its categories' encoder in partial(check_array). A partial holds no code of its own: the
# function inside it must be trusted too, and this one only looks at arrays.
ALWAYS_TRUSTED = ("functools.partial", "sklearn.utils.validation.check_array")
_SCHEMA = "schema.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first date a zip can hold


def trusted_types(declared: Iterable[str]) -> list[str]:
    """What a file of this estimator may rebuild beside skops' own list (numbers, arrays, scikit-learn's estimators)."""
    return sorted({*declared, *ALWAYS_TRUSTED})


def dump(estimator: Any, trusted: Iterable[str] = ()) -> bytes:
    """The fitted estimator as a skops file that `load` with the same list will take.

    Raises DeclarationError when it holds a type outside the list, naming what to declare, one skops cannot save, or an
    estimator of a class that no check of `load` knows.
    """
    import skops.io

    if why := unchecked(estimator):
        raise DeclarationError(f"Estimator {type(estimator).__name__} {why} Its file could not be loaded again.")
    try:
        data = skops.io.dumps(estimator)
        needed = skops.io.get_untrusted_types(data=data)
    except Exception as refused:  # skops raises what its parts raise
        raise DeclarationError(
            f"{type(estimator).__name__} cannot be saved as skops ({refused}): use parameters that are plain values."
        ) from refused
    if missing := sorted(set(needed) - set(trusted_types(trusted))):
        raise DeclarationError(
            f"{type(estimator).__name__} holds types outside its list: {missing}. Look at each; when it can be "
            f"trusted, declare Estimator(trusted={tuple(sorted({*trusted, *missing}))})."
        )
    return _renumbered(data)


def load(data: bytes, trusted: Iterable[str] = (), *, features: int, path: str | None = None) -> Any:
    """The estimator of a skops file, safe to predict with on rows of `features` columns.

    `path`, when given, is the dotted path its class must have in the declaration. Raises DataError for bytes that are
    no skops file of ours (a pickle, half a file, a compressed one), for a type outside the list, for an estimator of a
    class that nothing checks (`core.checked_models` has the table), for a value its predictions would stumble on or
    leave their arrays by. Nothing of the file is called, neither before it has passed the list nor by the checks.
    """
    import skops.io
    from sklearn.base import BaseEstimator

    _check_archive(data)
    try:
        estimator = skops.io.loads(data, trusted=trusted_types(trusted))
    except Exception as refused:  # whatever a hostile file makes skops, zipfile, json or numpy raise
        raise DataError(
            f"model file refused ({type(refused).__name__}: {_short(refused)}): restore the version."
        ) from refused
    if not isinstance(estimator, BaseEstimator):
        raise DataError(f"model file holds a {type(estimator).__name__}, must be a scikit-learn estimator: restore it.")
    if path is not None and _declared_class(path) is not type(estimator):
        raise DataError(f"model file holds a {type(estimator).__name__}, the declaration says {path}: restore it.")
    try:
        check_model(estimator, features)
    except DataError:
        raise
    except Exception as odd:  # a state so odd that the checks themselves stumble
        raise DataError(f"model file holds a damaged {type(estimator).__name__} ({_short(odd)}): restore it.") from odd
    return estimator


def _check_archive(data: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            damaged = archive.testzip() if all(m.compress_type == zipfile.ZIP_STORED for m in members) else None
    except Exception as broken:  # BadZipFile, and whatever a crafted directory makes zipfile raise
        raise DataError(f"{len(data)} bytes are no skops file ({_short(broken)}): restore the version.") from broken
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise DataError("model file is compressed, which ours never are (it could unfold to anything): restore it.")
    names = [member.filename for member in members]
    if damaged is not None or len(set(names)) != len(names) or _SCHEMA not in names:
        raise DataError(f"model file is damaged at {damaged or 'its directory'}: restore the version.")


def _declared_class(path: str) -> type | None:
    from importlib import import_module

    module, _, name = path.rpartition(".")
    found = getattr(import_module(module), name, None)
    return found if isinstance(found, type) else None


def _renumbered(data: bytes) -> bytes:
    """The same skops file with ids and member names counted from 0 in order of appearance, and no dates."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(parts.pop(_SCHEMA))
    numbers: dict[int, int] = {}
    renamed: dict[str, str] = {}

    def visit(node: Any) -> None:
        if isinstance(node, list):
            for item in node:
                visit(item)
        elif isinstance(node, dict):
            if isinstance(node.get("__id__"), int):
                node["__id__"] = numbers.setdefault(node["__id__"], len(numbers))
            if isinstance(name := node.get("file"), str) and name in parts:
                node["file"] = renamed.setdefault(name, f"{len(renamed)}.{name.rpartition('.')[2]}")
            for item in node.values():
                visit(item)

    visit(schema)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, new in renamed.items():
            archive.writestr(zipfile.ZipInfo(new, _EPOCH), parts[name])
        archive.writestr(zipfile.ZipInfo(_SCHEMA, _EPOCH), json.dumps(schema, separators=(",", ":")))
    return out.getvalue()


def _short(error: Exception) -> str:
    text = str(error)
    return text if len(text) <= 300 else f"{text[:290]}..."
