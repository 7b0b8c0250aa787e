"""Which definitions a step can reach, found in the source alone: nothing is imported, nothing is run.

A definition is what the top level of a module binds: a function, a class (one unit), a constant. It reaches what it
names: through attributes of imported modules, names passed on by an `__init__`, imports inside functions, decorators,
defaults, annotations, base classes. Where the text leaves it open, more is reached, never less: a local of a global's
name counts as the global, a module handed on as an object is all of it. Importing is work, too: what a module does on
import (`register(f)`, `table[k] = v`, a decorator of ours) belongs to everything that imports the module, however far.

Not seen, because it is in no text: a name looked up from a text (`getattr(module, name)`, `import_module(name)`) and a
method of an object that came from elsewhere; the class it came from must be an entry.
"""

import ast
import builtins
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mlops_assets.core.code.names import Names, read
from mlops_assets.core.code.source import FunctionNode, Source, Target, parse, targets
from mlops_assets.core.versions import blob_version
from mlops_assets.declare.errors import DataError

# (module, name of a definition), or (module, one of these two)
Node = tuple[str, str]
_IMPORTED = ""  # the module is imported: what it does then
_ALL = "*"  # every definition of it


@dataclass(frozen=True, kw_only=True)
class Reached:
    """What entries reach.

    `definitions`: dotted name -> "function:<digest>" (or class, or constant), "package.module (on import)" ->
    "module:<digest>" for what importing it does; sorted, the digest blake3 of the normalised source. `libraries`:
    import roots used that are neither ours nor Python's own.
    """

    definitions: Mapping[str, str]
    libraries: frozenset[str]


@dataclass(frozen=True)
class _Uses:
    """What one node names directly, and its own digest (None: it has no code of its own)."""

    nodes: frozenset[Node]
    libraries: frozenset[str]
    digest: str | None


class Code:
    """The code of some packages. `read(module)` is a module's source, None where there is none.

    A package answers to its name and to its name + ".__init__", which tells it from a lone module. `inside` are the
    root packages whose code counts; of all others the name of the library does. Each module is parsed once, when reached.
    """

    def __init__(self, read: Callable[[str], str | None], inside: Collection[str]) -> None:
        self._read = read
        self.inside = frozenset(inside)
        self._sources: dict[str, Source | None] = {}
        self._uses: dict[Node, _Uses] = {}

    def reached(self, entries: Iterable[str]) -> Reached:
        """All that `entries` reach: "package.module.function", "package.module.Class.method" (the class), or a module.

        Raises DataError for an entry, a name or a module that should be inside and is not there.
        """
        began = [self._entry(entry) for entry in sorted(set(entries))]
        waiting = [node for found in began for node in sorted(found.nodes)]
        libraries = {library for found in began for library in found.libraries}
        seen: set[Node] = set()
        while waiting:
            node = waiting.pop()
            if node in seen:
                continue
            seen.add(node)
            uses = self._of(node)
            libraries |= uses.libraries
            waiting += sorted(uses.nodes - seen)
        found = {_shown(node): digest for node in sorted(seen) if (digest := self._of(node).digest)}
        return Reached(definitions=MappingProxyType(found), libraries=frozenset(libraries))

    def _entry(self, entry: str) -> "_Found":
        found, parts = _Found(self, f"entry {entry}"), entry.split(".")
        for cut in range(len(parts), 0, -1):
            module = ".".join(parts[:cut])
            if parts[0] not in self.inside or self.source(module) is not None:
                found.walk(module, tuple(parts[cut : cut + 1]))
                return found
        raise DataError(f"{entry} is in no module of {parts[0]}: name module and function.")

    def source(self, name: str) -> Source | None:
        """A module of ours, parsed; None where there is none. Raises DataError for text that is no Python."""
        if name not in self._sources:
            inside = name.partition(".")[0] in self.inside
            text = self._read(name) if inside else None
            self._sources[name] = None if text is None else parse(name, text, self._is_package)
        return self._sources[name]

    def _is_package(self, name: str) -> bool:
        return self._read(f"{name}.__init__") is not None

    def _of(self, node: Node) -> _Uses:
        if node not in self._uses:
            module, name = node
            found = _Found(self, f"{module}.{name}" if name not in (_IMPORTED, _ALL) else module)
            source = found.module(module)
            digest = None
            if name == _ALL:
                found.everything(source)
            elif name == _IMPORTED:
                digest = found.importing(source)
            else:
                digest = found.definition(source, name)
            self._uses[node] = _Uses(frozenset(found.nodes), frozenset(found.libraries), digest)
        return self._uses[node]


class _Found:
    """What one node names, while it is being found. `where` is said in errors."""

    def __init__(self, code: Code, where: str) -> None:
        self.code = code
        self.where = where
        self.nodes: set[Node] = set()
        self.libraries: set[str] = set()
        self._following: list[tuple[str, tuple[str, ...]]] = []  # a package may import its own modules by name

    def module(self, name: str) -> Source:
        source = self.code.source(name)
        if source is None:
            raise DataError(
                f"{self.where} imports {name}, and there is no such module: it was moved, or never written."
            )
        return source

    def definition(self, source: Source, name: str) -> str:
        statements = source.pieces[name]
        self.nodes.add((source.name, _IMPORTED))
        names = self._read(source, statements)
        for statement in statements:
            if not isinstance(statement, FunctionNode | ast.ClassDef):
                self._compound(source, statement)
        return f"{_sort_of(statements)}:{_digest(names)}"

    def importing(self, source: Source) -> str | None:
        """What importing the module does, beside binding names: its own effects, its imports, its packages'."""
        parent = source.name.rpartition(".")[0]
        if parent and self.code.source(parent) is not None:
            self.nodes.add((parent, _IMPORTED))
        for target in source.imported:
            self._imported(target)
        for name, decorator in source.registrants:
            decorates = _Found(self.code, self.where)
            decorates._read(source, [decorator])
            if any(node[1] != _IMPORTED for node in decorates.nodes):
                self.nodes.add((source.name, name))
        if not source.effects:
            return None
        names = self._read(source, source.effects)
        for statement in source.effects:
            self._compound(source, statement)
        return f"module:{_digest(names)}"

    def everything(self, source: Source) -> None:
        self.nodes.add((source.name, _IMPORTED))
        self.nodes.update((source.name, name) for name in source.pieces)
        for target in (target for brought in source.imports.values() for target in brought):
            self._target(target, ())
        for star in source.stars:
            self.walk(star, ())

    def _read(self, source: Source, statements: Iterable[ast.AST]) -> Names:
        names = read(statements)
        local: dict[str, list[Target]] = {}
        for statement in names.imports:
            for target in targets(statement, source.name, source.package):
                self._imported(target)
                local.setdefault(target.bound, []).append(target)
        for root, *attributes in sorted(names.chains):
            own = local.get(root, [])
            for target in own:
                self._target(target, tuple(attributes))
            self._name(source, root, tuple(attributes), certain=not own and root not in names.bound)
        for root, *attributes in sorted(names.hints):
            self._name(source, root, tuple(attributes), certain=False)
        for star in source.stars:  # any name may come from there
            self.walk(star, ())
        return names

    def _compound(self, source: Source, statement: ast.stmt) -> None:
        """Imports under an `if` or a `try` of the top level: what they bring is used by others, so all of it is."""
        for node in ast.walk(statement):
            if isinstance(node, ast.Import | ast.ImportFrom):
                for target in targets(node, source.name, source.package):
                    if target.bound not in ("", "*"):
                        self._target(target, ())

    def _name(self, source: Source, root: str, attributes: tuple[str, ...], *, certain: bool) -> None:
        """A name as the module's top level has it; `certain` that it is no local."""
        if root in source.pieces:
            self.nodes.add((source.name, root))
        for target in source.imports.get(root, []):
            self._target(target, attributes, certain=certain)
        known = root in source.pieces or root in source.imports or hasattr(builtins, root) or _is_dunder(root)
        if certain and not known and not source.stars:
            raise DataError(
                f"{self.where} names {root!r}, which {source.name} does not bind: import it or define it at the top "
                "level of the module, so that what the code depends on can be told."
            )

    def _imported(self, target: Target) -> None:
        """The module of an import is imported, whatever is used of it."""
        if self._outside(target.module):
            return
        source = self.module(target.module)
        self.nodes.add((target.module, _IMPORTED))
        if target.attribute is not None:
            bound = target.attribute in source.pieces or target.attribute in source.imports
            submodule = self._submodule(source, target.attribute, bound)
            self.nodes |= {(submodule, _IMPORTED)} if submodule is not None else set()

    def _target(self, target: Target, attributes: tuple[str, ...], *, certain: bool = True) -> None:
        if target.attribute is not None:
            attributes = (target.attribute, *attributes)
        self.walk(target.module, attributes, certain=certain)

    def walk(self, module: str, attributes: tuple[str, ...], *, certain: bool = True) -> None:
        """What `module.a.b` is: a definition of ours, a library, or (nothing asked of it) all of a module."""
        if self._outside(module):
            root = module.partition(".")[0]
            self.libraries |= {root} - sys.stdlib_module_names
            return
        source = self.module(module)
        if not attributes:
            self.nodes.add((module, _ALL))
            return
        self.nodes.add((module, _IMPORTED))
        first, rest = attributes[0], attributes[1:]
        bound = first in source.pieces
        if bound:
            self.nodes.add((module, first))
        if first in source.imports and (module, attributes) not in self._following:
            bound = True
            self._following.append((module, attributes))
            for target in source.imports[first]:
                self._target(target, rest, certain=certain)
            self._following.pop()
        submodule = self._submodule(source, first, bound)
        if submodule is not None:  # beside a name of the package: either may be meant
            self.walk(submodule, rest, certain=certain and not bound)
        elif not bound and ("__getattr__" in source.pieces or source.stars):
            self.nodes.add((module, _ALL))
        elif not bound and certain and not _is_dunder(first):
            raise DataError(
                f"{self.where} names {module}.{first}, which is not there: it was moved or renamed, or a text makes it "
                "up."
            )

    def _submodule(self, source: Source, name: str, bound: bool) -> str | None:
        """The module of that name in a package, None where there is none: not beside a name that a lone module binds."""
        below = f"{source.name}.{name}"
        return below if (source.package or not bound) and self.code.source(below) is not None else None

    def _outside(self, module: str) -> bool:
        return module.partition(".")[0] not in self.code.inside


def _shown(node: Node) -> str:
    """No definition's name has a space: a package may bind the name of one of its modules."""
    module, name = node
    return f"{module} (on import)" if name == _IMPORTED else f"{module}.{name}"


def _digest(names: Names) -> str:
    return blob_version("\0".join(names.spelling).encode())


def _is_dunder(name: str) -> bool:
    """True for the names that the interpreter gives, `__name__` and the like."""
    return name.startswith("__") and name.endswith("__")


def _sort_of(statements: Iterable[ast.stmt]) -> str:
    """What a definition is called in a sentence, by its last statement."""
    last = list(statements)[-1]
    if isinstance(last, ast.ClassDef):
        return "class"
    return "function" if isinstance(last, FunctionNode) else "constant"
