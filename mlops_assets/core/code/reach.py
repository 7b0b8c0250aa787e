"""Which definitions a step can reach, found in the source alone: nothing is imported, nothing is run.

A definition is what the top level of a module binds: a function, a class (one unit), a constant. It reaches what it
names: through attributes of imported modules, names passed on by an `__init__`, imports inside functions, decorators,
defaults, annotations, base classes. Where the text leaves it open, more is reached, never less: a local of a global's
name counts as the global, a module handed on as an object is all of it. Importing is work, too: what a module does on
import (`register(f)`, `table[k] = v`, a decorator of ours) belongs to everything that imports the module, however far.

Not seen, because it is in no text: a name looked up from a text (`getattr(module, name)`, `import_module(name)`) and a
method of an object that came from elsewhere; the class it came from must be an entry.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mlops_assets.core.code.source import Source, parse
from mlops_assets.core.code.uses import ALL, IMPORTED, Node, Uses
from mlops_assets.declare.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Reached:
    """What entries reach.

    `definitions`: dotted name -> "function:<digest>" (or class, or constant), "package.module (on import)" ->
    "module:<digest>" for what importing it does; sorted, the digest blake3 of the normalised source. `libraries`:
    import roots used that are neither ours nor Python's own.
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

    def _entry(self, entry: str) -> Uses:
        found, parts = Uses(self.source, self.inside, f"entry {entry}"), entry.split(".")
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
            uses = Uses(self.source, self.inside, module if name in (ALL, IMPORTED) else f"{module}.{name}")
            uses.find(node)
            self._uses[node] = uses
        return self._uses[node]


def _shown(node: Node) -> str:
    """No definition's name has a space: a package may bind the name of one of its modules."""
    module, name = node
    return f"{module} (on import)" if name == IMPORTED else f"{module}.{name}"
