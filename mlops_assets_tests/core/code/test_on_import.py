"""Work done while modules are imported: what fills a table of another module belongs to all that import it."""

from itertools import permutations

import pytest

from mlops_assets.core.code import Code

USE = "from shop.table import T, Base, put\nimport shop.plugin\ndef f():\n    return T, Base.made, put"
TABLE = """
import abc
T = {}
class Register:
    def take(self, g):
        self.last = g
register = Register()
def put(g):
    T[g.__name__] = g
    return g
def through(g):
    return put(g)
def alias(g):
    mine = T
    mine[g.__name__] = g
def copy(items):
    found = []
    found.append(items)
    return found
class Plain:
    pass
class Base:
    made = []
    def __init_subclass__(cls):
        Base.made.append(cls)
class Meta(type):
    def __init__(cls, *args):
        T[cls.__name__] = cls
"""


HEAD = "from shop.table import T, Base, Plain, Meta, put, through, alias, copy, register\nfrom shop import table\n"


def reached(plugin: str, use: str = USE) -> dict[str, str]:
    """What the use reaches that imports such a plugin."""
    modules = {"shop": "", "shop.table": TABLE, "shop.use": use, "shop.plugin": HEAD + plugin}
    return dict(Code(modules.get, {"shop"}).reached(["shop.use.f"]).definitions)


@pytest.mark.parametrize(
    "plugin",
    [
        "def g():\n    return ?\n_ = T.setdefault('g', g)",
        "def g():\n    return ?\n_ = table.T.setdefault('g', g)",
        "def g():\n    return ?\n_h = put.register(int)(g)",
        "def g():\n    return ?\n_ = put(g)",
        "def g():\n    return ?\n_ = through(g)",
        "def g():\n    return ?\n_ = table.through(g)",
        "def g():\n    return ?\n_ = alias(g)",
        "from operator import setitem\ndef g():\n    return ?\n_ = setitem(T, 'g', g)",
        "def g():\n    return ?\n_ = register.take(g)",
        "def g():\n    return ?\n_ = [put(each) for each in (g,)]",
        "def g():\n    return ?\n_ = list(map(put, (g,)))",
        "def g():\n    return ?\n_: object = list(map(T.update, ({'g': g},)))",
        "def g():\n    return ?\n_ = setattr(table, 'g', g)",
        "def g():\n    return ?\nclass R:\n    T['g'] = g",
        "def g():\n    return ?\nclass R:\n    a = put(g)",
        "def g():\n    return ?\nclass R:\n    put(g)",
        "def g():\n    return ?\ndef h(a=put(g)):\n    pass",
        "def g():\n    return ?\nif g:\n    x = put(g)",
        "T |= {'g': ?}",
        "class Sub(Base):\n    x = ?",
        "class Sub(table.Base):\n    x = ?",
        "class Between(Base):\n    pass\nclass Sub(Between):\n    x = ?",
        "class Sub(metaclass=Meta):\n    x = ?",
    ],
)
def test_what_a_module_leaves_with_others_on_import_is_reached(plugin: str) -> None:
    one, two = (reached(plugin.replace("?", value)) for value in ("1", "2"))

    assert one != two


@pytest.mark.parametrize(
    "plugin",
    [
        "import re\nX = re.compile('?')",
        "X = frozenset(['?'])",
        "from types import MappingProxyType\nX = MappingProxyType({'a': ?, 'put': put})",
        "from typing import TypeVar\nX = TypeVar('X?')",
        "from functools import cache\n@cache\ndef g():\n    return ?",
        "from dataclasses import dataclass, field\n@dataclass\nclass X:\n    a: int = ?\n    b: list = field()",
        "X = copy(?)",
        "X = Plain(?)",
        "class X(Plain):\n    a = ?",
        "class X(ValueError):\n    a = ?",
        "X = sorted(T, key=lambda g: put(?))",
        "def g():\n    return put(?)",
    ],
)  # fmt: skip
def test_a_module_s_own_constants_and_definitions_are_no_work_on_import(plugin: str) -> None:
    assert reached(plugin.replace("?", "1", 1)) == reached(plugin.replace("?", "2", 1)) == reached("")


def test_subclasses_that_are_asked_for_are_reached_wherever_they_are_imported() -> None:
    use = USE.replace("Base.made", "Plain.__subclasses__()").replace("import T,", "import Plain, T,")
    one, two = (f"class Sub(Plain):\n    x = {value}" for value in (1, 2))

    assert reached(one, use) != reached(two, use)
    assert reached(one) == reached(two)  # nobody asks


@pytest.mark.parametrize(
    "lines",
    [
        ("A = 1", "B = A", "A = 2"),
        ("A = [0]", "B = list(A)", "A[0] = 1"),
        ("A = [0]", "B = list(A)", "A += [1]"),
        ("A = B = 1", "print(A)", "A = 2"),
        ("A = [0]", "def B(a=tuple(A)):\n    return a", "A.append(1)"),
        ("A = [0]", "class B:\n    a = list(A)", "A.append(1)"),
    ],
)
def test_the_order_counts_of_statements_that_bind_a_name_again_or_fill_a_table(lines: tuple[str, str, str]) -> None:
    first, second, third = lines

    assert ordered(first, second, third) != ordered(first, third, second)
    assert ordered(first, second, third) == ordered(
        "import os", first, "C = 0", second, "", third, "def g():\n    pass"
    )


def ordered(*lines: str) -> dict[str, str]:
    text = "\n".join([*lines, "def f():\n    return A, B"])
    return dict(Code({"shop": text}.get, {"shop"}).reached(["shop.f"]).definitions)


def test_beside_an_effect_the_order_of_functions_and_plain_constants_changes_nothing() -> None:
    body = ["def f():\n    return g(), X, T\n", "def g():\n    return 1\n", "X = 1\n", "T = []\n"]
    effect = "T.append(X)\n"
    found = {
        tuple(Code({"shop": "".join(each) + effect}.get, {"shop"}).reached(["shop.f"]).definitions.items())
        for each in permutations(body)
    }

    assert len(found) == 1
