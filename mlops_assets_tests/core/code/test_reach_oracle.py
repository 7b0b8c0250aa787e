"""Random programs against an oracle that knows who calls whom because it wrote them."""

from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.core.code import Code

STYLES = (
    lambda module, name: (f"from app.{module} import {name}", f"{name}()", ""),
    lambda module, name: (f"from app import {module}", f"{module}.{name}()", ""),
    lambda module, name: (f"import app.{module}", f"app.{module}.{name}()", ""),
    lambda module, name: ("", f"{name}()", f"from app.{module} import {name}"),
    lambda module, name: (f"from app import {name}", f"{name}()", ""),  # passed on by the package
)

graphs = st.integers(1, 8).flatmap(
    lambda count: st.tuples(
        st.lists(st.integers(0, 2), min_size=count, max_size=count),  # the module of each function
        st.lists(
            st.tuples(st.integers(0, count - 1), st.integers(0, count - 1), st.integers(0, len(STYLES) - 1)),
            max_size=14,
        ),  # who calls whom, imported how
    )
)


def written(homes: list[int], calls: list[tuple[int, int, int]]) -> dict[str, str]:
    """The program: function i returns i and calls what it calls."""
    heads: dict[int, list[str]] = {home: [] for home in range(3)}
    bodies: dict[int, list[str]] = {home: [] for home in range(3)}
    for function, home in enumerate(homes):
        lines = []
        for caller, called, style in calls:
            if caller != function:
                continue
            head, call, local = STYLES[style](f"m{homes[called]}", f"f{called}")
            if homes[called] == home:
                head, call, local = "", f"f{called}()", ""
            heads[home].append(head)
            lines += [line for line in (local, call) if line]
        bodies[home].append(
            f"def f{function}():\n" + "".join(f"    {line}\n" for line in lines) + f"    return {function}"
        )
    passed_on = "\n".join(f"from app.m{home} import f{function}" for function, home in enumerate(homes))
    return {"app": passed_on} | {f"app.m{home}": "\n".join([*heads[home], *bodies[home]]) for home in range(3)}


def closure(start: int, calls: list[tuple[int, int, int]]) -> set[int]:
    found = {start}
    for _ in calls:
        found |= {called for caller, called, _ in calls if caller in found}
    return found


@settings(max_examples=200, deadline=None)
@given(graphs)
def test_reached_is_the_closure_of_the_calls(graph: tuple[list[int], list[tuple[int, int, int]]]) -> None:
    homes, calls = graph
    code = Code(written(homes, calls).get, {"app"})

    for function, home in enumerate(homes):
        found = code.reached([f"app.m{home}.f{function}"])
        assert set(found.definitions) == {f"app.m{homes[other]}.f{other}" for other in closure(function, calls)}


@settings(max_examples=100, deadline=None)
@given(graphs, st.integers(0, 7))
def test_an_edit_changes_exactly_those_who_reach_it(
    graph: tuple[list[int], list[tuple[int, int, int]]], which: int
) -> None:
    homes, calls = graph
    edited = which % len(homes)
    before = written(homes, calls)
    after = {name: text.replace(f"return {edited}", "return 'edited'") for name, text in before.items()}

    for function, home in enumerate(homes):
        entry = [f"app.m{home}.f{function}"]
        same = Code(before.get, {"app"}).reached(entry) == Code(after.get, {"app"}).reached(entry)
        assert same == (edited not in closure(function, calls))
