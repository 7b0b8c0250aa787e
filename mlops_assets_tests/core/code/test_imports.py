"""What an import binds a name to counts; how the imports are written does not."""

from collections.abc import Mapping

import pytest

from mlops_assets.core.code import Code

TWO = {
    "shop.h": "def mean(x):\n    return 1\ndef median(x):\n    return 2",
    "shop.h2": "def mean(x):\n    return 3",
    "shop.both": "from shop import h, h2\ndef both():\n    return h.mean(1), h.median(1), h2.mean(1)",
}


def of(text: str, modules: Mapping[str, str] = TWO) -> tuple[dict[str, str], frozenset[str]]:
    """What shop.use.f reaches when the module says this."""
    found = Code({"shop": "", **modules, "shop.use": text}.get, {"shop"}).reached(["shop.use.f"])
    return dict(found.definitions), found.libraries


@pytest.mark.parametrize(
    ("before", "after", "body"),
    [
        ("from math import floor as r", "from math import ceil as r", "r(1)"),
        ("import math as m", "import cmath as m", "m.exp(1)"),
        ("import numpy as np\nfrom math import exp", "import numpy as np\nfrom numpy import exp", "exp(np.sum(1))"),
        ("from shop.h import mean as c", "from shop.h import median as c", "c(1)"),
        ("from shop.h import mean", "from shop.h2 import mean", "mean(1)"),
        ("from shop import h as m", "from shop import h2 as m", "m.mean(1)"),
        ("from .h import mean as a, median as b", "from .h import median as a, mean as b", "a(1) - b(1)"),
        ("from shop.h import *\nfrom shop.h2 import *", "from shop.h2 import *\nfrom shop.h import *", "mean(1)"),
        ("from shop.h import mean\nfrom shop.h2 import *", "from shop.h2 import *\nfrom shop.h import mean", "mean(1)"),
        ("from .h import mean\nfrom .h2 import mean", "from .h2 import mean\nfrom .h import mean", "mean(1)"),
        ("from shop.h import mean\nmean = 1", "mean = 1\nfrom shop.h import mean", "mean"),
        ("from shop.h import mean as K", "from shop.h2 import mean as K", "(lambda k: k)(K)"),
        ("from shop.h import mean as K\nT = {'k': K}", "from shop.h2 import mean as K\nT = {'k': K}", "T"),
        ("from math import floor as r\nprint(r(1))", "from math import ceil as r\nprint(r(1))", "0"),
        ("", "from __future__ import annotations", "0"),
    ],
)  # fmt: skip
def test_another_thing_under_the_same_name_changes_the_digest(before: str, after: str, body: str) -> None:
    text = f"%s\nfrom shop.both import both\ndef f():\n    both()\n    return {body}"

    assert of(text % before)[0] != of(text % after)[0]


def test_another_thing_under_a_local_name_or_in_an_annotation_changes_the_digest() -> None:
    local = "def f():\n    from shop.both import both\n    from shop.%s import mean\n    return mean(both())"
    hint = "from shop.both import both\nfrom shop.%s import mean\ndef f(a: 'mean'):\n    return both()"
    tried = "from shop.both import both\ntry:\n    from shop.%s import mean\nexcept ImportError:\n    pass\n"

    for text in (local, hint, tried + "def f():\n    return mean(both())"):
        assert of(text % "h") != of(text % "h2")


@pytest.mark.parametrize("use", ["from shop.pack import mean", "from shop import pack\nmean = pack.mean"])
def test_a_package_that_passes_on_anothers_name_changes_the_digest(use: str) -> None:
    text = f"from shop.both import both\n{use}\ndef f():\n    return mean(both())"
    one, two = ({"shop.pack": each, "shop.pack.__init__": each} for each in
                ("from shop.h import mean", "from shop.h2 import mean"))  # fmt: skip

    assert of(text, {**TWO, **one}) != of(text, {**TWO, **two})


def test_a_module_handed_on_counts_with_what_its_imports_bind() -> None:
    text = "from shop import again\nfrom shop.both import both\ndef f():\n    return vars(again), both()"
    one, two = (of(text, {**TWO, "shop.again": f"from shop.{each} import mean"}) for each in ("h", "h2"))

    assert one != two
    assert "shop.again (as a whole)" in one[0]


@pytest.mark.parametrize(
    "written",
    [
        "from shop.h import mean, median\nimport numpy as np",
        "import numpy as np\nfrom shop.h import median\nfrom shop.h import mean",
        "import numpy as np\nfrom .h import (\n    median,\n    mean,\n)",
        "import numpy as np, os, json\nfrom shop.h import mean, median",
        "import numpy as np\nimport os.path\nimport os\nfrom shop.h import mean, median",
    ],
)
def test_how_imports_are_ordered_and_written_changes_nothing(written: str) -> None:
    body = "\nX = np.exp(2)\ndef f():\n    return mean(X), median(np.sum(X))"

    assert of(written + body) == of("from shop.h import mean, median\nimport numpy as np" + body)
