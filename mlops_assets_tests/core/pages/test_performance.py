"""The page of a performance report: the state, the evidence, the figures, and no name that breaks it."""

from typing import Any

import pytest

from mlops_assets.core.pages.document import POLICY, is_report
from mlops_assets.core.pages.performance import performance_page
from mlops_assets.core.signals import Concept
from mlops_assets_tests.core.pages.seen import Seen
from mlops_assets_tests.core.pages.world import HOSTILE

PLOT = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def figure(name: str, value: float | None, reference: float | None = None) -> dict[str, Any]:
    reach = None if value is None else 0.01
    low, high = (None, None) if value is None or reach is None else (value - reach, value + reach)
    return {"name": name, "value": value, "low": low, "high": high, "reference": reference}


def slice_of(label: str, *, worse: bool) -> dict[str, Any]:
    return {"feature": "carrier", "label": label, "rows": 1234, "blocks": 7, "worse": worse,
            "loss": figure("loss", 0.2), "metric": figure("log_loss", 0.4)}  # fmt: skip


def drifted(name: str = "HA") -> dict[str, Any]:
    """A week of concept drift that says a name wherever one can stand."""
    return {
        "state": "concept drift",
        "sentence": f"concept drift: {name}.",
        "use_case": name,
        "partition": name,
        "model": name,
        "rows": 6541, "settled": 6500, "labelled": 6300, "unanswered": 3,
        "metrics": [figure("log_loss", 0.51, 0.4), figure("auc", None)],
        "loss": figure("loss", 0.18, 0.1),
        "gap": figure("gap", -0.06),
        "slices": [slice_of(f"carrier = {name}", worse=False), slice_of(f"origin = {name}", worse=True)],
        "alarms": [{"labels": 913, "as_of": "2013-06-26T21:00:00Z"}],
        "evidence": 1.0,
    }  # fmt: skip


def page(record: dict[str, Any], **plots: bytes) -> Seen:
    return Seen(performance_page(record, plots))


def test_the_same_report_gives_the_same_bytes_which_are_those_of_a_report() -> None:
    made = performance_page(drifted(), {"history_plot": PLOT})

    assert made == performance_page(drifted(), {"history_plot": PLOT})
    assert is_report(made)


def test_the_state_comes_first_then_what_to_do_then_the_evidence_then_the_figures() -> None:
    text = page(drifted()).text

    places = [text.index(said) for said in (
        "✕ concept drift", "What to do", "Evidence of concept drift", "Alarm after 913 labels", "Figures",
        "Slices, the worse first", "What the words mean",
    )]  # fmt: skip
    assert places == sorted(places)


@pytest.mark.parametrize("state", [concept.value for concept in Concept])
def test_every_state_says_what_to_do(state: str) -> None:
    seen = page({"state": state, "sentence": f"{state}: so it is."})

    assert "li" in [tag for tag, _ in seen.elements]
    assert "so it is." in seen.text


def test_a_worse_slice_comes_first_and_says_so() -> None:
    text = page(drifted()).text

    assert text.index("origin = HA") < text.index("worse, beyond chance") < text.index("carrier = HA")


def test_what_could_not_be_measured_is_a_dash() -> None:
    record = {**drifted(), "state": "insufficient labels", "metrics": [], "loss": None, "gap": None, "slices": [],
              "alarms": [], "evidence": 0.4}  # fmt: skip
    text = page(record).text

    assert "40\N{NO-BREAK SPACE}% of the way to an alarm" in text
    assert "Figures" not in text
    assert "–" in page(drifted()).texts


def test_nothing_is_loaded_and_nothing_runs() -> None:
    seen = page(drifted(), history_plot=PLOT)

    assert ("meta", {"http-equiv": "Content-Security-Policy", "content": POLICY}) in seen.elements
    links = [value for _, attributes in seen.elements for key, value in attributes.items() if key in ("src", "href")]
    assert len(links) == 2 and all(str(link).startswith("data:") for link in links)
    assert "script" not in [tag for tag, _ in seen.elements]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_text_wherever_it_stands(name: str) -> None:
    assert page(drifted(name), history_plot=PLOT).skeleton == page(drifted("tame"), history_plot=PLOT).skeleton
