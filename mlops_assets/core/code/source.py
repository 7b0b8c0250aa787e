"""One module's source, sorted by the names its top level binds.

Here belongs what a module binds and what importing it does; which of it a step reaches is `reach.py`'s business. No
syntax tree outlives the parsing: kept ones cost a large process more in garbage collection than all the rest.
"""

import ast
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from mlops_assets.core.code.names import FunctionNode, Names, is_text
from mlops_assets.core.code.running import acts, called, inherited, running
from mlops_assets.core.versions import blob_version
from mlops_assets.declare.errors import DataError

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda,
           ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)  # fmt: skip

_METACLASSES = ("type", "ABCMeta", "abc.ABCMeta", "EnumMeta", "EnumType", "enum.EnumMeta", "enum.EnumType")


@dataclass(frozen=True)
class Target:
    """What an import names: a module, or `attribute` of it; `bound` is the name it has here ("*": all names)."""

    bound: str
    module: str
    attribute: str | None = None


@dataclass(frozen=True)
class Piece:
    """Some statements, read once.

    `digest`: "function:<blake3>" of the spelling (class, constant, module). `chains`, `hints`, `bound` as in `Names`.
    `imports`: what imports inside bring; `passed_on`: those under an `if` or a `try` of the top level, used by others.
    `writes`: whether it may change an object that it did not make. `hooks`: whether it does something with every class
    that is derived from it. `asks_subclasses`: whether it looks for them.
    """

    digest: str
    chains: tuple[tuple[str, ...], ...]
    hints: tuple[tuple[str, ...], ...]
    bound: frozenset[str]
    imports: tuple[Target, ...]
    passed_on: tuple[Target, ...]
    writes: bool
    hooks: bool
    asks_subclasses: bool


@dataclass(frozen=True)
class Source:
    """A parsed module.

    `pieces`: name -> the statements that bind it. `imports`: name -> what plain import statements bind it to. `stars`:
    modules imported by star. `imported`: every module that importing this one imports. `effects`: the statements that
    do something without binding a name, or beside it. `decorators`: of each decorated definition, since a decorator may
    put it where others find it; `calls`: what is called while a name is bound, which may do the same, and so may
    `bases`, of each class. `order`: where a star import may bind any name, what binds names, in order.
    """

    name: str
    package: bool
    pieces: dict[str, Piece]
    imports: dict[str, list[Target]]
    stars: list[str]
    imported: list[Target]
    effects: Piece | None
    decorators: dict[str, Piece]
    calls: dict[str, Piece]
    bases: dict[str, Piece]
    order: str


def parse(name: str, text: str, is_package: Callable[[str], bool]) -> Source:
    """The module `name` from its source. Raises DataError for text that is no Python."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as wrong:
        raise DataError(f"module {name} is no Python ({wrong}): mend it.") from wrong
    found = _Sorted(name, is_package(name))
    for statement in tree.body:
        found.add(statement)
    decorated = {
        bound: [decorator for each in statements for decorator in getattr(each, "decorator_list", [])]
        for bound, statements in found.statements.items()
    }
    return Source(
        name=name,
        package=found.package,
        pieces={
            bound: found.piece(_sort_of(each), each, found.places(each)) for bound, each in found.statements.items()
        },
        imports=found.imports,
        stars=found.stars,
        imported=found.imported,
        effects=found.piece("module", found.effects, found.places(found.effects)) if found.effects else None,
        decorators={bound: found.piece("", each) for bound, each in decorated.items() if each},
        calls={bound: found.piece("", each) for bound, each in found.calls.items()},
        bases={bound: found.piece("", each) for bound, each in found.bases.items()},
        order=" ".join(found.order) if found.stars else "",
    )


def targets(statement: ast.Import | ast.ImportFrom, name: str, package: bool) -> list[Target]:
    """What an import statement in module `name` brings; relative imports made absolute.

    `import a.b` binds `a` and imports `a.b`: two targets, of which the second binds no name ("").
    """
    if isinstance(statement, ast.Import):
        found = []
        for alias in statement.names:
            root = alias.name.partition(".")[0]
            if alias.asname is not None or root == alias.name:
                found.append(Target(alias.asname or root, alias.name))
            else:
                found += [Target(root, root), Target("", alias.name)]
        return found
    module = statement.module or ""
    if statement.level:
        own = name.split(".")
        kept = own[: len(own) - statement.level + package]
        module = ".".join([*kept, *filter(None, [statement.module])])
    return [Target(alias.asname or alias.name, module, alias.name) for alias in statement.names]


@dataclass
class _Sorted:
    """A module's statements while they are sorted, by the fields of `Source`."""

    name: str
    package: bool
    statements: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: dict[str, list[Target]] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    imported: list[Target] = field(default_factory=list)
    effects: list[ast.stmt] = field(default_factory=list)
    calls: dict[str, list[ast.AST]] = field(default_factory=dict)
    bases: dict[str, list[ast.AST]] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    looking: set[ast.stmt] = field(default_factory=set)  # those that look a name up while they run
    binding: dict[str, list[ast.stmt]] = field(default_factory=dict)  # name -> all that bind it, imports, too
    ordered: list[tuple[int, int]] | None = None  # the places of those whose order matters

    def add(self, statement: ast.stmt) -> None:
        if is_text(statement) or _never_on_import(statement):
            return
        if isinstance(statement, ast.Import | ast.ImportFrom):
            for target in self._brought(statement):
                self.order.append(f"{target.module}.{target.bound}")
                if target.bound not in ("", "*"):
                    self.imports.setdefault(target.bound, []).append(target)
                    self.binding.setdefault(target.bound, []).append(statement)
            return
        names: set[str] = set()
        for node in _own_nodes(statement):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names.update(target.bound for target in self._brought(node))
            else:
                names.update(_bound(node))
        nodes = list(running(statement))
        calls, bases = called(nodes), inherited(nodes)
        for name in sorted(names - {"", "*"}):
            self.order.append(name)
            self.statements.setdefault(name, []).append(statement)
            self.binding.setdefault(name, []).append(statement)
            if calls:
                self.calls.setdefault(name, []).extend(calls)
            if bases:
                self.bases.setdefault(name, []).extend(bases)
        if any(isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) for node in nodes):
            self.looking.add(statement)
        if not names or any(map(acts, nodes)):
            self.effects.append(statement)

    def places(self, statements: Sequence[ast.stmt]) -> str:
        """Where the statements stand among those that act or bind a name once more; "" where that changes nothing.

        It does for these themselves, and for what looks a name up while it runs: a table may be filled by then, or not.
        """
        if self.ordered is None:
            again = [each for name in self.binding if self._bound_again(name) for each in self.binding[name]]
            self.ordered = sorted({_place(each) for each in (*self.effects, *again)})
        found = [str(bisect_left(self.ordered, _place(each))) if self._matters(each) else "" for each in statements]
        return " ".join(found) if self.ordered else ""

    def _bound_again(self, name: str) -> bool:
        """True unless one statement binds it, or imports of one thing do: `import a.b` and `import a.c` bind `a`."""
        return len(self.statements.get(name, [])) + len(set(self.imports.get(name, []))) > 1

    def _matters(self, statement: ast.stmt) -> bool:
        return statement in self.looking or _place(statement) in (self.ordered or ())

    def _brought(self, statement: ast.Import | ast.ImportFrom) -> list[Target]:
        found = targets(statement, self.name, self.package)
        self.imported += found
        self.stars += [target.module for target in found if target.bound == "*"]
        return found

    def piece(self, sort: str, statements: Sequence[ast.AST], places: str = "") -> Piece:
        names, passed_on = Names(), []
        for statement in statements:
            seen = len(names.imports)
            names.add(statement)
            if not isinstance(statement, FunctionNode | ast.ClassDef):
                passed_on += names.imports[seen:]
        futures = sorted(target.bound for target in self.imported if target.module == "__future__")
        said = [*names.spelling, *futures, *filter(None, [places])]
        return Piece(
            digest=f"{sort}:{blob_version(chr(0).join(said).encode())}",
            chains=tuple(sorted(names.chains)),
            hints=tuple(sorted(names.hints)),
            bound=frozenset(names.bound),
            imports=tuple(t for each in names.imports for t in targets(each, self.name, self.package)),
            passed_on=tuple(t for each in passed_on for t in targets(each, self.name, self.package)),
            writes=names.writes,
            hooks="__init_subclass__" in names.bound or any(map(_is_metaclass, statements)),
            asks_subclasses="__subclasses__" in names.spelling,
        )


def _bound(node: ast.AST) -> Iterator[str]:
    """The names that a node of the module's own scope binds, imports aside."""
    if isinstance(node, FunctionNode | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        yield node.id
    elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
        yield node.name
    elif isinstance(node, ast.MatchMapping) and node.rest:
        yield node.rest


def _own_nodes(statement: ast.stmt) -> Iterator[ast.AST]:
    """The nodes that run in the module's own scope: what stands inside a function or class is left out."""
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, _SCOPES):
            waiting.extend(ast.iter_child_nodes(node))


def _place(statement: ast.stmt) -> tuple[int, int]:
    return statement.lineno, statement.col_offset


def _is_metaclass(node: ast.AST) -> bool:
    return isinstance(node, ast.ClassDef) and any(ast.unparse(base) in _METACLASSES for base in node.bases)


def _never_on_import(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and ast.unparse(statement.test) == "__name__ == '__main__'"


def _sort_of(statements: list[ast.stmt]) -> str:
    """What a definition is called in a sentence, by its last statement."""
    if isinstance(statements[-1], ast.ClassDef):
        return "class"
    return "function" if isinstance(statements[-1], FunctionNode) else "constant"
