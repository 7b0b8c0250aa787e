"""Actions over the real package: what its steps reach, and which keys an edit changes."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import mlops_assets
from mlops_assets.core.actions import Action, changes, sentence
from mlops_assets.core.code import Code
from mlops_assets.core.declared import config, entries_of
from mlops_assets.declare import DataError
from mlops_assets.declare.visible import visible
from mlops_assets.stores.code import libraries, package_code
from mlops_assets.use_cases.flight_delays import FLIGHT_DELAYS

PACKAGE = Path(mlops_assets.__file__).parent
CORE = "mlops_assets.core"
STEPS = {
    "validated_dataset": ([f"{CORE}.validation.gate.validate"], ("name", "tables")),
    "feature_table": ([f"{CORE}.features.feature_table"], ("name", "tables", "requests", "label", "features")),
    "trained_model": ([f"{CORE}.fitting.fit_rows", f"{CORE}.training_window.training_window"],
                      ("name", "tables", "requests", "label", "features", "model", "promotion.metric")),
    "drift_report": ([f"{CORE}.drift.drift_report"], ("name", "drift")),
}  # fmt: skip


def sources() -> dict[str, str]:
    """The package's own texts by module."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text()
    return found


def actions(texts: dict[str, str]) -> dict[str, Action]:
    code = Code(texts.get, {"mlops_assets"})
    made = {}
    for step, (entries, sees) in STEPS.items():
        seen = visible(FLIGHT_DELAYS, sees)
        reached = code.reached([*entries, *entries_of(seen)])
        made[step] = Action(
            asset=f"flight_delays/{step}",
            partition="2013-02-11",
            code=reached.definitions,
            config=config(seen),
            libraries=libraries(reached.libraries),
            inputs={},
        )
    return made


def edited(text: str, function: str) -> str:
    """The module with one statement more in a function, printed anew: every comment and all formatting is lost."""
    tree = ast.parse(text)
    (found,) = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function]
    found.body.append(ast.parse("edited = True").body[0])
    return ast.unparse(tree)


@pytest.fixture(scope="module")
def today() -> dict[str, Action]:
    return actions(sources())


@pytest.mark.parametrize(
    ("module", "function", "steps"),
    [
        (f"{CORE}.calibration", "calibrate", {"trained_model"}),
        (f"{CORE}.drift.psi", "psi", {"drift_report"}),
        (f"{CORE}.features.asof", None, {"feature_table"}),
        ("mlops_assets.use_cases.flight_delays", "weekday", {"feature_table", "trained_model"}),
        ("mlops_assets.use_cases.flight_delays", "is_late", {"validated_dataset", "feature_table", "trained_model"}),
        ("mlops_assets.declare.checking", "refuse", set(STEPS)),
        (f"{CORE}.plots.training", None, set()),
        ("mlops_assets.cli.printing", None, set()),
    ],
)
def test_an_edit_changes_the_keys_of_exactly_the_steps_that_reach_it(
    today: dict[str, Action], module: str, function: str | None, steps: set[str]
) -> None:
    texts = sources()
    function = function or next(n.name for n in ast.parse(texts[module]).body if isinstance(n, ast.FunctionDef))
    tomorrow = actions({**texts, module: edited(texts[module], function)})

    assert {step for step in STEPS if today[step].key != tomorrow[step].key} == steps
    assert {step for step in STEPS if f"{module}.{function}" in today[step].code} == steps
    for step in steps:
        said = [sentence(change) for change in changes(today[step], tomorrow[step])]
        assert said == [f"function {module.removeprefix('mlops_assets.')}.{function} changed"]


def test_printing_the_whole_package_anew_changes_no_key(today: dict[str, Action]) -> None:
    printed = {module: ast.unparse(ast.parse(text)) for module, text in sources().items()}

    assert {step: action.key for step, action in actions(printed).items()} == {
        step: action.key for step, action in today.items()
    }


def test_a_fit_reaches_its_encoder_and_estimator_and_no_drift() -> None:
    reached = package_code().reached([f"{CORE}.fitting.fit_rows"])
    modules = {name.rpartition(".")[0] for name in reached.definitions}

    assert {f"{CORE}.encoding", f"{CORE}.estimators", f"{CORE}.metrics"} <= modules
    assert not [module for module in modules if module.startswith((f"{CORE}.drift", "mlops_assets.stores"))]
    assert {"sklearn", "numpy", "pandas"} <= reached.libraries


def every_definition() -> Iterator[str]:
    for module, text in sources().items():
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                yield f"{module}.{node.name}"


def test_every_definition_of_the_package_can_be_an_entry() -> None:
    entries = list(every_definition())

    assert len(entries) > 500
    assert set(package_code().reached(entries).definitions) >= set(entries)


def test_the_sources_are_read_as_they_lie_and_once_in_a_process() -> None:
    texts = sources()

    assert package_code() is package_code("mlops_assets", "pyarrow")
    for step, (entries, _) in STEPS.items():
        assert package_code().reached(entries) == Code(texts.get, {"mlops_assets"}).reached(entries), step


def test_looking_at_code_imports_none_of_it() -> None:
    looked = (
        "import sys; from mlops_assets.stores.code import package_code; before = set(sys.modules);"
        "found = package_code().reached(['mlops_assets.core.drift.drift_report']);"
        "print(len(found.definitions) > 50, sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", looked], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "True []"


def test_a_users_own_package_counts_like_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "their_shop").mkdir()
    (tmp_path / "their_shop" / "__init__.py").write_text("from .deep import g\n")
    (tmp_path / "their_shop" / "deep.py").write_text("def g():\n    return 1\n")
    (tmp_path / "lone_rules.py").write_text("from their_shop import g\ndef f():\n    return g()\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    found = package_code("their_shop", "lone_rules").reached(["lone_rules.f", f"{CORE}.verdicts"])

    assert {"lone_rules.f", "their_shop.deep.g"} <= set(found.definitions)
    assert not {"their_shop", "lone_rules"} & set(sys.modules)


def test_a_package_without_source_is_refused() -> None:
    with pytest.raises(DataError, match="package 'no_such_package' has no source to read"):
        package_code("no_such_package")


def test_a_module_name_is_no_way_out_of_the_package() -> None:
    with pytest.raises(DataError, match=r"names mlops_assets\., which is not there"):
        package_code().reached(["mlops_assets.../secrets.f"])


def test_libraries_are_named_by_distribution_with_python_beside() -> None:
    found = libraries({"sklearn", "ibis", "matplotlib", "dagster", "threadpoolctl", "no_such_root"})

    assert set(found) == {
        "scikit-learn",
        "scipy",
        "numpy",
        "ibis-framework",
        "duckdb",
        "pyarrow",
        "no_such_root",
        "python",
    }
    assert libraries({"yaml"}).keys() == {"PyYAML", "python"}
    assert found["no_such_root"] == "unknown"
    assert found["python"] == f"{sys.version_info.major}.{sys.version_info.minor}"
