"""The registry: one version per training, found by its tags, its files as they were registered."""

import threading
from pathlib import Path

import numpy as np
import pytest

from mlops_assets.core.encoding import Encoder
from mlops_assets.core.fitting import fit
from mlops_assets.core.model_digest import model_digest
from mlops_assets.declare import DamagedError, DataError, DeclarationError
from mlops_assets.stores.models import load
from mlops_assets.stores.registry import CHALLENGER, CHAMPION, Registry
from mlops_assets_tests.core import tiny

TRUSTED = tiny.TREES.trusted


@pytest.fixture(scope="session")
def registry(tmp_path_factory):
    """One tracker for all: a new SQLite one takes seconds to migrate."""
    return Registry.local(tmp_path_factory.mktemp("mlflow"))


@pytest.fixture(scope="session")
def model():
    return fit(tiny.use_case(), tiny.weeks())


@pytest.fixture(scope="session")
def run(registry):
    return registry.start_run("parcels", "test")


@pytest.fixture(scope="session")
def logged(registry, model, run):
    return registry.log_model(
        run, estimator=model.estimator, encoder=model.encoder, trusted=TRUSTED, files={"profile.json": b"{}"}
    )


def register(registry, model, logged, name, data_version="d1", **changes):
    facts = {
        "data_version": data_version,
        "model_digest": model_digest(model.estimator, model.encoder),
        "partition": model.partition,
        "commit": "0" * 40,
        "dirty": "false",
        "metrics": model.metrics,
    }
    return registry.register(name, logged, **(facts | changes))


def test_a_training_is_logged_to_its_run_and_nowhere_else(registry, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = registry.start_run("parcels", "logged")
    tags = {"partition": model.partition, "data_version": "d1", "seed": "7"}

    hashes = registry.log_training(
        run,
        params=model.params,
        metrics=model.metrics,
        tags=tags,
        files={"plots/a.svg": b"<svg/>", "metrics.json": b"{}"},
    )
    registry.finish_run(run)

    found = registry.client.get_run(run)
    assert found.data.metrics == dict(model.metrics)
    assert found.data.params["learning_rate"] == "0.1" and found.data.tags["partition"] == "2024-01-29"
    assert found.info.status == "FINISHED" and sorted(hashes) == ["metrics.json", "plots/a.svg"]
    assert Path(found.info.artifact_uri.removeprefix("file://"), "plots/a.svg").read_bytes() == b"<svg/>"
    assert list(tmp_path.iterdir()) == []


def test_more_than_a_batch_is_logged_whole(registry):
    run = registry.start_run("parcels", "many")

    registry.log_training(
        run,
        params={f"p{n}": n for n in range(250)},
        metrics={f"m{n}": float(n) for n in range(250)},
        tags={f"t{n}": str(n) for n in range(250)},
    )

    data = registry.client.get_run(run).data
    assert len(data.params) == 250 and len(data.metrics) == 250 and sum(tag.startswith("t") for tag in data.tags) == 250


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), None, True, "0.5"])
def test_a_metric_that_is_no_finite_number_is_refused_before_anything_is_logged(registry, model, logged, run, value):
    before = registry.client.get_run(run).data

    with pytest.raises(DataError, match="'loss'"):
        registry.log_training(run, params={"new": 1}, metrics={"loss": value}, tags={"new": "1"})
    with pytest.raises(DataError, match="'loss'"):
        register(registry, model, logged, "refused", metrics={"loss": value})

    after = registry.client.get_run(run).data
    assert (after.params, after.tags, after.metrics) == (before.params, before.tags, before.metrics)
    assert registry.find("refused") == []


@pytest.mark.parametrize(
    "given",
    [
        {"params": {"p": "x" * 6001}},
        {"tags": {"t": "x" * 8001}},
        *({"files": {path: b""}} for path in ("../a", "/a", "", "a/../../b", "a\b")),
    ],
)
def test_what_mlflow_would_cut_or_misplace_is_refused(registry, run, given):
    with pytest.raises(DataError):
        registry.log_training(run, **({"params": {}, "metrics": {}, "tags": {}} | given))


def test_the_model_files_are_skops_ours_and_pinned(registry, model, logged):
    assert {"MLmodel", "model.skops", "encoder.json", "profile.json", "requirements.txt"} <= set(logged.files)
    files = registry.read(register(registry, model, logged, "files"))

    assert b"serialization_format: skops" in files["MLmodel"] and b'"shape": [-1, 4]' in files["MLmodel"]
    assert b"scikit-learn==" in files["requirements.txt"] and b"skops==" in files["requirements.txt"]
    assert not any(name.endswith((".pkl", ".pickle")) for name in files)
    encoder = Encoder.from_json(files["encoder.json"])
    back = load(files["model.skops"], TRUSTED, features=len(encoder.features))
    assert model_digest(back, encoder) == model_digest(model.estimator, model.encoder)
    array = model.encoder.encode(tiny.week(1))
    assert np.array_equal(back.predict_proba(array), model.estimator.predict_proba(array))


def test_a_model_of_untrusted_types_is_not_logged(registry, model, run):
    with pytest.raises(DeclarationError, match="TreePredictor"):
        registry.log_model(run, estimator=model.estimator, encoder=model.encoder, trusted=())


def test_mlflows_own_files_are_not_replaced(registry, model, run):
    with pytest.raises(DataError, match="MLmodel"):
        registry.log_model(
            run, estimator=model.estimator, encoder=model.encoder, trusted=TRUSTED, files={"MLmodel": b""}
        )


def test_the_same_training_twice_is_one_version(registry, model, logged):
    first = register(registry, model, logged, "once")
    again = register(registry, model, logged, "once", commit="1" * 40)
    other_data = register(registry, model, logged, "once", data_version="d2")
    other_model = register(registry, model, logged, "once", model_digest="0" * 64)

    assert first.created and not again.created and again.version == first.version == 1
    assert again.tags["commit"] == "0" * 40
    assert (other_data.version, other_model.version) == (2, 3)
    assert [one.version for one in registry.find("once")] == [1, 2, 3]


def test_tags_carry_everything_one_may_search_for(registry, model, logged):
    made = register(registry, model, logged, "tagged", tags={"seed": "7", "gate": "INCONCLUSIVE"})

    assert made.metrics == dict(model.metrics) and made.files == dict(logged.files)
    assert made.run_id == logged.run_id and made.tags["model_id"] == logged.model_id
    for tag in (
        "data_version",
        "model_digest",
        "partition",
        "commit",
        "dirty",
        "metric/auc",
        "sha256/model.skops",
        "seed",
    ):
        assert [one.version for one in registry.find("tagged", **{tag: made.tags[tag]})] == [made.version], tag
    assert registry.find("tagged", data_version="other") == []


def test_a_verdict_may_be_added_but_identity_may_not_change(registry, model, logged):
    made = register(registry, model, logged, "verdict")

    assert registry.set_tags(made, {"gate": "PASS"}).tags["gate"] == "PASS"
    for tag in ("data_version", "model_digest", "sha256/MLmodel", "metric/auc"):
        with pytest.raises(DataError, match="fixed at registration"):
            registry.set_tags(made, {tag: "x"})
        with pytest.raises(DataError, match="registry's own"):
            register(registry, model, logged, "verdict", data_version="d9", tags={tag: "x"})


def test_an_alias_is_set_moved_and_taken_away(registry, model, logged):
    one = register(registry, model, logged, "alias", data_version="a")
    two = register(registry, model, logged, "alias", data_version="b")

    assert registry.get_alias("alias", CHAMPION) is None
    registry.set_alias(CHAMPION, one)
    registry.set_alias(CHALLENGER, two)
    assert registry.get_alias("alias", CHAMPION).version == 1 and registry.get_alias("alias", CHALLENGER).version == 2
    registry.set_alias(CHAMPION, two)
    assert registry.get_alias("alias", CHAMPION).tags == two.tags
    registry.delete_alias("alias", CHAMPION)
    registry.delete_alias("alias", CHAMPION)
    assert registry.get_alias("alias", CHAMPION) is None


def test_what_is_not_there_is_none_or_an_error_with_its_name(registry, model, logged):
    assert registry.get_alias("never", CHAMPION) is None and registry.find("never") == []
    with pytest.raises(DataError, match="never@3 is not registered"):
        registry.get("never", 3)
    with pytest.raises(DataError, match="must be one of"):
        registry.get_alias("never", "prod")


@pytest.mark.parametrize("change", ["flip", "remove", "add"])
def test_a_file_changed_after_registration_is_found(registry, model, run, change):
    logged = registry.log_model(run, estimator=model.estimator, encoder=model.encoder, trusted=TRUSTED)
    made = register(registry, model, logged, "damaged", data_version=change)
    folder = Path(made.source.removeprefix("file://"))
    if change == "flip":
        data = bytearray((folder / "model.skops").read_bytes())
        data[1000] ^= 1
        (folder / "model.skops").write_bytes(data)
    elif change == "remove":
        (folder / "encoder.json").unlink()
    else:
        (folder / "evil.py").write_text("raise SystemExit")

    with pytest.raises(DamagedError, match={"flip": "model.skops", "remove": "encoder.json", "add": "evil.py"}[change]):
        registry.read(made)


@pytest.mark.parametrize("name", ["../up", "a/b", "", "a'b", ".hidden", "x" * 129, "a b"])
def test_a_name_that_is_no_name_is_refused_everywhere(registry, model, logged, name):
    for call in (
        lambda: registry.ensure_experiment(name),
        lambda: register(registry, model, logged, name),
        lambda: registry.find(name),
        lambda: registry.get(name, 1),
        lambda: registry.get_alias(name, CHAMPION),
    ):
        with pytest.raises(DeclarationError):
            call()


@pytest.mark.parametrize("value", ["x' or name like '%", "a\\b"])
def test_a_search_value_is_no_search_language(registry, value):
    with pytest.raises(DataError, match="no quotes"):
        registry.find("tagged", partition=value)


def test_an_experiment_keeps_its_place(registry):
    found = registry.ensure_experiment("parcels")

    assert registry.ensure_experiment("parcels") == found
    moved = Registry(registry.tracking_uri, registry.artifact_root + "-elsewhere")
    with pytest.raises(DataError, match="set MLOPS_DATA to the folder it was made in, or MLFLOW_TRACKING_URI"):
        moved.ensure_experiment("parcels")


def test_other_threads_and_the_process_wide_tracker_do_not_matter(registry, model, logged, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    made = []
    thread = threading.Thread(target=lambda: made.append(register(registry, model, logged, "thread")))
    thread.start()
    thread.join()

    assert made[0].version == 1 and list(tmp_path.iterdir()) == []


def test_nothing_is_created_before_it_is_needed(tmp_path):
    Registry.local(tmp_path / "absent")

    assert list(tmp_path.iterdir()) == []
