"""What a definition reaches, and what moves its digest, on a small package given as texts."""

from collections.abc import Mapping
from textwrap import dedent

import pytest

from mlops_assets.core.code import Code
from mlops_assets.declare import DataError

SHOP = {
    "shop": "",
    "shop.sums": '''
        """Adding up."""
        import math
        RATE = 0.2

        def rounded(x):
            """To cents."""
            return math.floor(x * 100) / 100   # down

        def taxed(x, rate=RATE):
            return rounded(x * (1 + rate))

        def unused(x):
            return x
    ''',
    "shop.bills": '''
        from shop.sums import taxed

        def total(items):
            return sum(taxed(item) for item in items)
    ''',
    "shop.desk": '''
        from shop import bills
        import numpy as np

        def bill(items):
            return bills.total(np.asarray(items))

        def greet(name):
            return f"hello {name}"
    ''',
}  # fmt: skip


def code(modules: Mapping[str, str]) -> Code:
    """A fake package from module name -> text; a package with relative imports stands in `packages`, too."""
    texts = {name: dedent(text) for name, text in modules.items()}
    return Code(texts.get, {"shop"})


def reached(modules: Mapping[str, str], *entries: str) -> dict[str, str]:
    return dict(code(modules).reached(entries).definitions)


def edited(module: str, before: str, after: str, modules: Mapping[str, str] = SHOP) -> dict[str, str]:
    assert before in modules[module]
    return {**modules, module: modules[module].replace(before, after)}


def test_a_function_reaches_what_it_names_through_imports() -> None:
    found = code(SHOP).reached(["shop.desk.bill"])

    assert list(found.definitions) == [
        "shop.bills.total", "shop.desk.bill", "shop.sums.RATE", "shop.sums.rounded", "shop.sums.taxed",
    ]  # fmt: skip
    assert found.libraries == {"numpy"}  # math is Python's own


def test_a_digest_says_what_sort_of_definition_it_is_of() -> None:
    found = reached({"shop": "class A:\n    pass\nX = A()\ndef f():\n    return X\n"}, "shop.f")

    assert {name: digest.partition(":")[0] for name, digest in found.items()} == {
        "shop.A": "class", "shop.X": "constant", "shop.f": "function",
    }  # fmt: skip


def test_a_helper_two_imports_away_changes_exactly_the_entries_that_reach_it() -> None:
    after = edited("shop.sums", "math.floor", "math.ceil")

    assert reached(SHOP, "shop.desk.bill") != reached(after, "shop.desk.bill")
    assert reached(SHOP, "shop.desk.greet") == reached(after, "shop.desk.greet")
    assert reached(SHOP, "shop.sums.unused") == reached(after, "shop.sums.unused")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# down", "# always down"),
        ('"""To cents."""', '"""To cents, downwards."""'),
        ('"""To cents."""\n', "\n"),
        ('"""Adding up."""', ""),
        ("x * 100) / 100", "\n                  x*100\n                  )/  100"),
        ("def unused(x):\n            return x", "def unused(x):\n            return -x"),
    ],
)
def test_comments_docstrings_formatting_and_neighbours_change_nothing(before: str, after: str) -> None:
    assert reached(edited("shop.sums", before, after), "shop.desk.bill") == reached(SHOP, "shop.desk.bill")


def test_the_order_of_definitions_changes_nothing() -> None:
    body = ["def f():\n    return g()\n", "def g():\n    return 1\n", "class A:\n    pass\n"]

    assert reached({"shop": "".join(body)}, "shop") == reached({"shop": "".join(reversed(body))}, "shop")


def test_a_body_of_nothing_but_a_docstring_is_an_empty_one() -> None:
    told, silent = '"""Nothing."""', "pass"

    assert reached({"shop": f"def f():\n    {told}\n"}, "shop.f") == reached(
        {"shop": f"def f():\n    {silent}"}, "shop.f"
    )


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("def f():\n    return LIMIT\nLIMIT = {}", "constant"),
        ("LIMIT = {}\ndef f(x=LIMIT):\n    return x", "default"),
        ("LIMIT: int = {}\ndef f(*, x=LIMIT):\n    return x", "keyword default"),
        ("def deco(g):\n    return {}\n@deco\ndef f():\n    pass", "decorator"),
        ("class Base:\n    x = {}\nclass f(Base):\n    pass", "base class"),
        ("class K:\n    x = {}\ndef f(a: K):\n    pass", "annotation"),
        ("class K:\n    x = {}\ndef f(a: 'list[K]') -> None:\n    pass", "annotation written as a text"),
        ("class f:\n    def a(self):\n        return 0\n    def b(self):\n        return {}", "method"),
        ("async def g():\n    return {}\nasync def f():\n    await g()", "async function"),
        ("X = [0]\nX += [{}]\ndef f():\n    return X", "augmented assignment"),
        ("X = []\nX.append({})\ndef f():\n    return X", "bare call"),
        ("X = []\nX[0] = {}\ndef f():\n    return X", "item written"),
        ("def f():\n    pass\nf.limit = {}", "attribute written"),
        ("X = []\ndef f():\n    return X\nfor i in range({}):\n    X.append(i)", "loop"),
        ("try:\n    X = {}\nexcept ValueError:\n    X = 0\ndef f():\n    return X", "try"),
        ("if len('a'):\n    X = {}\nelse:\n    X = 0\ndef f():\n    return X", "if"),
        ("with open('a') as X:\n    Y = {}\ndef f():\n    return X", "with"),
        ("X, (Y, *Z) = 0, {}\ndef f():\n    return Z", "unpacking"),
        ("(X := {})\ndef f():\n    return X", "walrus"),
        ("def g():\n    return {}\ndef f():\n    return (lambda: [g() for _ in ()])()", "lambda and comprehension"),
        ("def g():\n    return {}\ndef f(g=None):\n    return g", "name that may be the global one"),
        ("T = []\ndef put(g):\n    T.append(g)\n@put\ndef g():\n    return {}\ndef f():\n    return T", "registered"),
    ],
    ids=lambda value: "" if "\n" in value else value,
)  # fmt: skip
def test_what_a_definition_depends_on_in_its_module_changes_it(text: str, what: str) -> None:
    one, two = (text.replace("{}", value, 1) for value in ("1", "2"))

    assert reached({"shop": one}, "shop.f") != reached({"shop": two}, "shop.f")
    assert reached({"shop": one}, "shop.f") == reached({"shop": f"{one}  # as it was"}, "shop.f")


@pytest.mark.parametrize(
    "use",
    [
        "from shop.deep import g\ndef f():\n    return g()",
        "from shop.deep import g as h\ndef f():\n    return h()",
        "from shop import deep\ndef f():\n    return deep.g()",
        "from shop import deep as d\ndef f():\n    return d.g.__name__",
        "import shop.deep\ndef f():\n    return shop.deep.g()",
        "import shop.deep as d\ndef f():\n    return d.g()",
        "def f():\n    from shop.deep import g\n    return g()",
        "def f():\n    import shop.deep\n    return shop.deep.g()",
        "def f():\n    from shop import deep\n    return deep.g()",
        "from shop.deep import *\ndef f():\n    return g()",
        "from shop.again import g\ndef f():\n    return g()",
        "from shop.again import deep\ndef f():\n    return deep.g()",
        "from shop import again\ndef f():\n    return again.deep.g()",
        "from shop import deep\ndef f():\n    return vars(deep)['g']()",
        "from shop import deep\nALIAS = deep\ndef f():\n    return ALIAS.g()",
        "from shop.deep import g\nTABLE = {'g': g}\ndef f():\n    return TABLE['g']()",
        "from .deep import g\ndef f():\n    return g()",
        "from . import deep\ndef f():\n    return deep.g()",
        "try:\n    from shop.deep import g\nexcept ImportError:\n    g = None\ndef f():\n    return g()",
        "if True:\n    from shop import deep\ndef f():\n    return deep.g()",
        "from shop.lazy import g\ndef f():\n    return g()",
    ],
)
def test_a_helper_is_reached_however_it_is_imported(use: str) -> None:
    def modules(helper: str) -> dict[str, str]:
        return {
            "shop": "", "shop.use": use, "shop.deep": f"def g():\n    return {helper}",
            "shop.again": "from shop import deep\nfrom shop.deep import g",
            "shop.lazy": "from shop import deep\ndef __getattr__(name):\n    return getattr(deep, name)",
        }  # fmt: skip

    assert reached(modules("1"), "shop.use.f") != reached(modules("2"), "shop.use.f")
    assert "shop.deep.g" in reached(modules("1"), "shop.use.f")


def test_a_package_passes_on_the_names_of_its_modules() -> None:
    modules = {
        "shop": "from shop.a import g", "shop.__init__": "from shop.a import g",
        "shop.a": "from . import b\nfrom .c import k\ndef g():\n    return b.h(k)",
        "shop.b": "def h(k):\n    pass", "shop.c": "k = 1",
    }  # fmt: skip

    assert list(reached(modules, "shop.g")) == ["shop.a.g", "shop.b.h", "shop.c.k"]


def test_a_package_may_import_its_own_modules_and_each_other_in_a_circle() -> None:
    modules = {
        "shop": "from shop import a, b\nfrom . import b", "shop.__init__": "from shop import a, b\nfrom . import b",
        "shop.a": "from shop import b\ndef f():\n    return b.g()",
        "shop.b": "from shop import a\ndef g():\n    return a.f()",
    }  # fmt: skip

    assert list(reached(modules, "shop.a.f")) == ["shop.a.f", "shop.b.g"]


def test_a_name_that_a_package_shares_with_one_of_its_modules_means_both() -> None:
    modules = {
        "shop": "from shop.bill import bill", "shop.bill": "def bill():\n    pass\nbill.calls = 0",
        "shop.rate": "rate = 2\nprint(rate)", "shop.use": "from shop import bill\ndef f():\n    return bill()",
    }  # fmt: skip

    assert list(reached(modules, "shop.use.f")) == ["shop.bill (on import)", "shop.bill.bill", "shop.use.f"]
    modules["shop"] = "from shop.rate import rate"
    modules["shop.use"] = "from shop import rate\ndef f():\n    return rate"
    assert list(reached(modules, "shop.use.f")) == ["shop.rate (on import)", "shop.rate.rate", "shop.use.f"]


def test_a_name_bound_by_an_import_and_again_by_a_statement_means_both() -> None:
    modules = {
        "shop": "", "shop.fast": "def g():\n    pass", "shop.slow": "from shop.fast import g\nif not g:\n    g = 1",
        "shop.use": "from shop.slow import g\ndef f():\n    return g()",
    }  # fmt: skip

    assert list(reached(modules, "shop.use.f")) == ["shop.fast.g", "shop.slow.g", "shop.use.f"]


def test_what_importing_does_belongs_to_everything_that_imports() -> None:
    modules = {
        "shop": "", "shop.table": "T = {}\ndef use(k):\n    return T[k]()",
        "shop.plugins": "from shop.table import T\ndef g():\n    return 1\nT['g'] = g",
        "shop.far": "import shop.plugins",
        "shop.use": "import shop.far\nfrom shop.table import use\ndef f():\n    return use('g')",
    }  # fmt: skip
    found = reached(modules, "shop.use.f")

    assert found["shop.plugins (on import)"].startswith("module:")
    assert "shop.plugins.g" in found
    assert found != reached(edited("shop.plugins", "1", "2", modules), "shop.use.f")
    assert list(reached(modules, "shop.table.use")) == ["shop.table.T", "shop.table.use"]


def test_what_a_package_does_on_import_belongs_to_its_modules() -> None:
    modules = {"shop": "import warnings\nwarnings.simplefilter('error')", "shop.a": "def f():\n    pass"}
    found = reached(modules, "shop.a.f")

    assert list(found) == ["shop (on import)", "shop.a.f"]
    assert found != reached(edited("shop", "error", "ignore", modules), "shop.a.f")


def test_a_main_block_is_no_part_of_an_import() -> None:
    text = "def f():\n    pass\nif __name__ == '__main__':\n    print({})"

    assert reached({"shop": text.format(1)}, "shop.f") == reached({"shop": text.format(2)}, "shop.f")


def test_an_entry_may_be_a_method_a_module_or_a_library() -> None:
    modules = {"shop": "class A:\n    def m(self):\n        pass\nX = 1"}

    assert list(reached(modules, "shop.A.m")) == ["shop.A"]
    assert list(reached(modules, "shop")) == ["shop.A", "shop.X"]
    assert code(modules).reached(["numpy.isnan", "math.isnan"]).libraries == {"numpy"}


def test_types_of_numbers_and_texts_are_told_apart() -> None:
    found = {reached({"shop": f"def f():\n    return {value}"}, "shop.f")["shop.f"]
             for value in ("1", "1.0", "True", "'1'", "b'1'", "1j", "None", "''", "...")}  # fmt: skip

    assert len(found) == 9


@pytest.mark.parametrize(
    ("use", "named"),
    [
        ("def f():\n    return gone()", "shop.f names 'gone'"),
        ("from shop.deep import gone\ndef f():\n    return gone()", "shop.f names shop.deep.gone"),
        ("from shop import deep\ndef f():\n    return deep.gone()", "shop.f names shop.deep.gone"),
        ("from shop.gone import g\ndef f():\n    return g()", "shop.f imports shop.gone, and there is no such module"),
        ("import shop.gone\ndef f():\n    pass", "shop imports shop.gone, and there is no such module"),
        ("def f():\n    pass\nelse", "module shop is no Python"),
    ],
)
def test_a_name_that_should_be_there_and_is_not_is_refused(use: str, named: str) -> None:
    with pytest.raises(DataError) as refused:
        reached({"shop": use, "shop.deep": ""}, "shop.f")

    assert named in str(refused.value)


def test_an_entry_that_is_not_there_is_refused() -> None:
    with pytest.raises(DataError, match=r"entry shop\.sums\.gone names shop\.sums\.gone, which is not there"):
        reached(SHOP, "shop.sums.gone")
    with pytest.raises(DataError, match="is in no module of shop"):
        reached({}, "shop.sums.gone")


def test_locals_builtins_and_names_of_the_interpreter_are_no_missing_names() -> None:
    text = """
        import contextlib
        def f(a, *b, c=0, **d):
            with contextlib.suppress(OSError) as e, open(__file__) as (g, h):
                for i, [j] in enumerate(a):
                    k = i + j
            try:
                import zlib as z
            except ValueError as error:
                print(error, z, __name__, e, g, h, k, b, c, d)
            match a:
                case {"x": l, **m} | [l, *m] as n:
                    print(l, m, n)
            class Inner:
                def o(self):
                    return __class__, super()
            def p():
                nonlocal a
                a = [q for q in a if (r := q)]
                return r
            del k
            return Inner, p, lambda s: s
    """

    assert list(reached({"shop": text}, "shop.f")) == ["shop.f"]


def test_each_module_is_read_once_and_only_when_reached() -> None:
    asked = []

    def read(module: str) -> str | None:
        asked.append(module)
        return dedent(SHOP[module]) if module in SHOP else None

    found = Code(read, {"shop"})
    found.reached(["shop.sums.taxed"])
    found.reached(["shop.sums.unused"])

    assert asked.count("shop.sums") == 1
    assert not {"shop.bills", "shop.desk"} & set(asked)
