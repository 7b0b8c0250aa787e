"""Which definitions a step can reach, found in the source alone: nothing is imported, nothing is run.

A definition is what the top level of a module binds: a function, a class (one unit), a constant. It reaches what it
names: through attributes of imported modules, names passed on by an `__init__`, imports inside functions, decorators,
defaults, annotations, base classes. Where the text leaves it open, more is reached, never less: a local of a global's
name counts as the global, a module handed on as an object is all of it. Importing is work, too: what a module does on
import (`register(f)`, `table[k] = v`, a decorator of ours, `x = f()` where f may change a table, a class of a base that
notes its subclasses) belongs to everything that imports the module, however far.

Not seen, because it is in no text: a name looked up from a text (`getattr(module, name)`, `import_module(name)`) and a
method of an object that came from elsewhere; the class it came from must be an entry. Not seen, either: the order in
which modules are imported or a module's assignments call functions that fill a table, what a function writes into its
argument by an operator (`def f(t): t += [1]`), and what a library makes of what it is handed.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mlops_assets.core.code.source import Piece, Source, parse
from mlops_assets.core.code.uses import ALL, IMPORTED, Node, Uses
from mlops_assets.declare.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Reached:
    """What entries reach.

    `definitions`: dotted name -> "function:<digest>" (or class, or constant), "package.module (on import)" ->
    "module:<digest>" for what importing it does, "package.module (as a whole)" for what its imports bind, where it is
    handed on as an object; sorted. The digest is blake3 of the normalised source and of what its names are imported
    from. `libraries`: import roots used that are neither ours nor Python's own.
    """

    definitions: Mapping[str, str]
    libraries: frozenset[str]


class Code:
    """The code of some packages. `read(module)` is a module's source, None where there is none.

    A package answers to its name and to its name + ".__init__", which tells it from a lone module. `inside` are the
    root packages whose code counts; of all others the library's name does. Each module is parsed once, when reached.
    """

    def __init__(self, read: Callable[[str], str | None], inside: Collection[str]) -> None:
        self._read = read
        self.inside = frozenset(inside)
        self._sources: dict[str, Source | None] = {}
        self._uses: dict[Node, Uses] = {}
        self._led: dict[tuple[Node, str], bool] = {}

    def reached(self, entries: Iterable[str]) -> Reached:
        """All that `entries` reach: "package.module.function", "package.module.Class.method" (the class), or a module.

        Raises DataError for an entry, a name or a module that should be inside and is not there.
        """
        began = [self._entry(entry) for entry in sorted(set(entries))]
        waiting = [node for found in began for node in sorted(found.nodes)]
        libraries = {library for found in began for library in found.libraries}
        seen: set[Node] = set()
        derived: set[Node] = set()  # the classes with a base: once subclasses are asked for, each may be meant
        asked = False
        while waiting:
            node = waiting.pop()
            if node in seen:
                continue
            seen.add(node)
            uses = self._of(node)
            libraries |= uses.libraries
            waiting += sorted(uses.nodes - seen)
            source, piece = self.source(node[0]), self._piece(node)
            if node[1] == IMPORTED and source is not None:
                derived |= {(node[0], name) for name in source.bases}
            asked = asked or (piece is not None and piece.asks_subclasses)
            if asked and not waiting:
                waiting += sorted(derived - seen)
        found = {_shown(node): digest for node in sorted(seen) if (digest := self._of(node).digest)}
        return Reached(definitions=MappingProxyType(found), libraries=frozenset(libraries))

    def _entry(self, entry: str) -> Uses:
        found, parts = Uses(self.source, self.inside, f"entry {entry}", self._leads_to), entry.split(".")
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

    def _of(self, node: Node) -> Uses:
        if node not in self._uses:
            module, name = node
            where = module if name in (ALL, IMPORTED) else f"{module}.{name}"
            uses = Uses(self.source, self.inside, where, self._leads_to)
            uses.find(node)
            self._uses[node] = uses
        return self._uses[node]

    def _piece(self, node: Node) -> Piece | None:
        """The code of a node's own."""
        source, name = self.source(node[0]), node[1]
        if source is None:
            return None
        return source.effects if name == IMPORTED else source.pieces.get(name)

    def _leads_to(self, start: Node, asked: str) -> bool:
        """Whether a definition, or any that it reaches, is code of which `asked` holds."""
        if (start, asked) not in self._led:
            waiting, seen, found = [start], {start}, False
            while waiting and not found:
                node = waiting.pop()
                piece = self._piece(node)
                found = piece is not None and getattr(piece, asked)
                new = {far for far in self._of(node).nodes if far[1] != IMPORTED} - seen
                waiting += sorted(new)
                seen |= new
            self._led[start, asked] = found
        return self._led[start, asked]


def _shown(node: Node) -> str:
    """No definition's name has a space: a package may bind the name of one of its modules."""
    module, name = node
    told = {IMPORTED: f"{module} (on import)", ALL: f"{module} (as a whole)"}
    return told.get(name, f"{module}.{name}")
