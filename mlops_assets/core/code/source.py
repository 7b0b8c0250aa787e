"""One module's source, sorted by the names its top level binds.

Here belongs what a module binds and what importing it does; which of it a step reaches is `reach.py`'s business.
"""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from mlops_assets.declare.errors import DataError

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda,
           ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)  # fmt: skip


@dataclass(frozen=True)
class Target:
    """What an import names: a module, or `attribute` of it; `bound` is the name it has here ("*": all names)."""

    bound: str
    module: str
    attribute: str | None = None


@dataclass(frozen=True)
class Source:
    """A parsed module.

    `pieces`: name -> the statements that bind it. `imports`: name -> what plain import statements bind it to. `stars`:
    modules imported by star. `imported`: every module that importing this one imports. `effects`: the statements that
    do something without binding a name, or beside it.
    """

    name: str
    package: bool
    pieces: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: dict[str, list[Target]] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    imported: list[Target] = field(default_factory=list)
    effects: list[ast.stmt] = field(default_factory=list)

    @property
    def registrants(self) -> Iterator[tuple[str, ast.expr]]:
        """Name and decorator of each decorated definition: a decorator may put it where others find it."""
        for name, statements in self.pieces.items():
            for statement in statements:
                if isinstance(statement, FunctionNode | ast.ClassDef):
                    yield from ((name, decorator) for decorator in statement.decorator_list)


def parse(name: str, text: str, is_package: Callable[[str], bool]) -> Source:
    """The module `name` from its source. Raises DataError for text that is no Python."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as wrong:
        raise DataError(f"module {name} is no Python ({wrong}): mend it.") from wrong
    found = Source(name=name, package=is_package(name))
    for statement in tree.body:
        _sort(found, statement)
    return found


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


def _sort(found: Source, statement: ast.stmt) -> None:
    if is_text(statement) or _never_on_import(statement):
        return
    if isinstance(statement, ast.Import | ast.ImportFrom):
        for target in targets(statement, found.name, found.package):
            found.imported.append(target)
            if target.bound == "*":
                found.stars.append(target.module)
            elif target.bound:
                found.imports.setdefault(target.bound, []).append(target)
        return
    names: set[str] = set()
    acts = False
    for node in _own_nodes(statement):
        if isinstance(node, ast.Import | ast.ImportFrom):
            brought = targets(node, found.name, found.package)
            found.imported.extend(brought)
            names.update(target.bound for target in brought)
            found.stars.extend(target.module for target in brought if target.bound == "*")
        elif isinstance(node, FunctionNode | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            names.add(node.id)
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            names.add(node.name)
        elif isinstance(node, ast.MatchMapping) and node.rest:
            names.add(node.rest)
        acts = acts or _acts(node)
    for name in sorted(names - {"", "*"}):
        found.pieces.setdefault(name, []).append(statement)
    if acts or not names:
        found.effects.append(statement)


def is_text(node: ast.AST) -> bool:
    """True for a docstring or any other text that stands as a statement: it does nothing."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


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
