"""One module's source, sorted by the names its top level binds.

Here belongs what a module binds and what importing it does; which of it a step reaches is `reach.py`'s business. No
syntax tree outlives the parsing: kept ones cost a large process more in garbage collection than all the rest.
"""

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from mlops_assets.core.code.names import FunctionNode, Names, is_text
from mlops_assets.core.versions import blob_version
from mlops_assets.declare.errors import DataError

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda,
           ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)  # fmt: skip


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
    """

    digest: str
    chains: tuple[tuple[str, ...], ...]
    hints: tuple[tuple[str, ...], ...]
    bound: frozenset[str]
    imports: tuple[Target, ...]
    passed_on: tuple[Target, ...]


@dataclass(frozen=True)
class Source:
    """A parsed module.

    `pieces`: name -> the statements that bind it. `imports`: name -> what plain import statements bind it to. `stars`:
    modules imported by star. `imported`: every module that importing this one imports. `effects`: the statements that
    do something without binding a name, or beside it. `decorators`: of each decorated definition, since a decorator may
    put it where others find it.
    """

    name: str
    package: bool
    pieces: dict[str, Piece]
    imports: dict[str, list[Target]]
    stars: list[str]
    imported: list[Target]
    effects: Piece | None
    decorators: dict[str, Piece]


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
        pieces={bound: found.piece(_sort_of(each), each) for bound, each in found.statements.items()},
        imports=found.imports,
        stars=found.stars,
        imported=found.imported,
        effects=found.piece("module", found.effects) if found.effects else None,
        decorators={bound: found.piece("", each) for bound, each in decorated.items() if each},
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

    def add(self, statement: ast.stmt) -> None:
        if is_text(statement) or _never_on_import(statement):
            return
        if isinstance(statement, ast.Import | ast.ImportFrom):
            for target in self._brought(statement):
                if target.bound not in ("", "*"):
                    self.imports.setdefault(target.bound, []).append(target)
            return
        names: set[str] = set()
        acts = False
        for node in _own_nodes(statement):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names.update(target.bound for target in self._brought(node))
            else:
                names.update(_bound(node))
            acts = acts or _acts(node)
        for name in sorted(names - {"", "*"}):
            self.statements.setdefault(name, []).append(statement)
        if acts or not names:
            self.effects.append(statement)

    def _brought(self, statement: ast.Import | ast.ImportFrom) -> list[Target]:
        found = targets(statement, self.name, self.package)
        self.imported += found
        self.stars += [target.module for target in found if target.bound == "*"]
        return found

    def piece(self, sort: str, statements: Sequence[ast.AST]) -> Piece:
        names, passed_on = Names(), []
        for statement in statements:
            seen = len(names.imports)
            names.add(statement)
            if not isinstance(statement, FunctionNode | ast.ClassDef):
                passed_on += names.imports[seen:]
        return Piece(
            digest=f"{sort}:{blob_version(chr(0).join(names.spelling).encode())}",
            chains=tuple(sorted(names.chains)),
            hints=tuple(sorted(names.hints)),
            bound=frozenset(names.bound),
            imports=tuple(t for each in names.imports for t in targets(each, self.name, self.package)),
            passed_on=tuple(t for each in passed_on for t in targets(each, self.name, self.package)),
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


def _acts(node: ast.AST) -> bool:
    if isinstance(node, ast.Expr):
        return not isinstance(node.value, ast.Constant)
    return isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load)


def _never_on_import(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and ast.unparse(statement.test) == "__name__ == '__main__'"


def _sort_of(statements: list[ast.stmt]) -> str:
    """What a definition is called in a sentence, by its last statement."""
    if isinstance(statements[-1], ast.ClassDef):
        return "class"
    return "function" if isinstance(statements[-1], FunctionNode) else "constant"
