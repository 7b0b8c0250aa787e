"""What one definition names, looked up as Python would: through imports, packages and what they pass on.

Here belongs one step of the way; `reach.py` follows it to the end.
"""

import builtins
import sys
from collections.abc import Callable, Collection, Mapping

from mlops_assets.core.code.source import Piece, Source, Target
from mlops_assets.core.versions import blob_version
from mlops_assets.declare.errors import DataError

Node = tuple[str, str]  # module, and the name of a definition or one of these two
IMPORTED = ""  # the module is imported: what it does then
ALL = "*"  # every definition of it
WRITES, HOOKS = "writes", "hooks"  # what is asked of code, by the fields of `Piece`


class Uses:
    """What one node names directly: other `nodes`, `libraries` by import root; and the `digest` of its own code.

    `source` gives a parsed module of the `inside` packages, None where there is none. `where` is said in errors.
    `leads_to` tells whether a definition reaches code of which WRITES or HOOKS holds. The digest is "function:<blake3>"
    (or class, constant, module) of the code and of what imports bind its names to; None for a node without code.
    """

    def __init__(
        self,
        source: Callable[[str], Source | None],
        inside: Collection[str],
        where: str,
        leads_to: Callable[[Node, str], bool],
    ) -> None:
        self._source = source
        self._leads_to = leads_to
        self._inside = inside
        self._where = where
        self._following: list[tuple[str, tuple[str, ...]]] = []  # a package may import its own modules by name
        self.nodes: set[Node] = set()
        self.libraries: set[str] = set()
        self._meant: list[str] = []  # what the name that is looked up now turned out to be, by its full name
        self.digest: str | None = None

    def find(self, node: Node) -> None:
        """Read the node's code. Raises DataError for a name or a module that should be inside and is not there."""
        module, name = node
        source = self._module(module)
        if name == ALL:
            self._everything(source)
        elif name == IMPORTED:
            self._importing(source)
        else:
            self._definition(source, name)

    def _module(self, name: str) -> Source:
        source = self._source(name)
        if source is None:
            raise DataError(
                f"{self._where} imports {name}, and there is no such module: it was moved, or never written."
            )
        return source

    def _definition(self, source: Source, name: str) -> None:
        piece = source.pieces[name]
        self.digest = _with(piece.digest, self._read(source, piece))

    def _importing(self, source: Source) -> None:
        """What importing the module does, beside binding names: its own effects, its imports, its packages'."""
        parent = source.name.rpartition(".")[0]
        if parent and self._source(parent) is not None:
            self.nodes.add((parent, IMPORTED))
        for target in source.imported:
            self._imported(target)
        self._found_by(source, source.decorators, lambda node: True)
        self._found_by(source, source.calls, lambda node: self._leads_to(node, WRITES))
        self._found_by(source, source.bases, lambda node: self._leads_to(node, HOOKS))
        if source.effects is not None:
            self.digest = _with(source.effects.digest, self._read(source, source.effects))

    def _found_by(self, source: Source, users: Mapping[str, Piece], test: Callable[[Node], bool]) -> None:
        """Definitions that others may find once they are made, since what makes them names something of which `test`.

        What makes them is not thereby reached, and its names may be locals of what stands around it.
        """
        for name, piece in users.items():
            named = Uses(self._source, self._inside, self._where, self._leads_to)
            named._read(source, piece, certain=False)
            if any(test(node) for node in sorted(named.nodes) if node[1] != IMPORTED):
                self.nodes.add((source.name, name))

    def _everything(self, source: Source) -> None:
        self.nodes.add((source.name, IMPORTED))
        self.nodes.update((source.name, name) for name in source.pieces)
        meant = {f"* = {source.order}"} if source.order else set()
        for name, brought in source.imports.items():
            for target in brought:
                self._target(target, ())
            meant.add(f"{name} = {' | '.join(self._meant)}")
            self._meant.clear()
        for star in source.stars:
            self.walk(star, ())
        self.digest = _with("module:", meant) if meant else None

    def _read(self, source: Source, piece: Piece, *, certain: bool = True) -> set[str]:
        """Look up all that a piece names; says what names turned out to be that imports bind: "np.exp = numpy.exp".

        Where several imports bind a name, it is all of them in their order.
        """
        meant: set[str] = set()

        def means(name: str) -> None:
            if self._meant:
                meant.add(f"{name} = {' | '.join(self._meant)}")
                self._meant.clear()

        local: dict[str, list[Target]] = {}
        for target in piece.imports:
            self._imported(target)
            local.setdefault(target.bound, []).append(target)
        for root, *attributes in piece.chains:
            own = local.get(root, [])
            for target in own:
                self._target(target, tuple(attributes), certain=certain)
            self._name(source, root, tuple(attributes), certain=certain and not own and root not in piece.bound)
            means(".".join((root, *attributes)))
        for root, *attributes in piece.hints:
            self._name(source, root, tuple(attributes), certain=False)
            means(".".join((root, *attributes)))
        for target in piece.passed_on:
            if target.bound not in ("", "*"):
                self._target(target, ())
                means(target.bound)
        for star in source.stars:  # any name may come from there
            self.walk(star, ())
            self._meant.append(source.order)
            means("*")
        return meant

    def _name(self, source: Source, root: str, attributes: tuple[str, ...], *, certain: bool) -> None:
        """A name as the module's top level has it; `certain` that it is no local."""
        if root in source.pieces:
            self.nodes.add((source.name, root))
        for target in source.imports.get(root, []):
            self._target(target, attributes, certain=certain)
        known = root in source.pieces or root in source.imports or hasattr(builtins, root) or _is_dunder(root)
        if certain and not known and not source.stars:
            raise DataError(
                f"{self._where} names {root!r}, which {source.name} does not bind: import it or define it at the top "
                "level of the module, so that what the code depends on can be told."
            )

    def _imported(self, target: Target) -> None:
        """The module of an import is imported, whatever is used of it."""
        if self._outside(target.module):
            return
        source = self._module(target.module)
        self.nodes.add((target.module, IMPORTED))
        if target.attribute is not None:
            bound = target.attribute in source.pieces or target.attribute in source.imports
            submodule = self._submodule(source, target.attribute, bound)
            self.nodes |= {(submodule, IMPORTED)} if submodule is not None else set()

    def _target(self, target: Target, attributes: tuple[str, ...], *, certain: bool = True) -> None:
        if target.attribute is not None:
            attributes = (target.attribute, *attributes)
        self.walk(target.module, attributes, certain=certain)

    def walk(self, module: str, attributes: tuple[str, ...], *, certain: bool = True) -> None:
        """What `module.a.b` is: a definition of ours, a library, or (nothing asked of it) all of a module."""
        if self._outside(module):
            root = module.partition(".")[0]
            self.libraries |= {root} - sys.stdlib_module_names
            self._meant.append(".".join((module, *attributes)))
            return
        source = self._module(module)
        if not attributes:
            self.nodes.add((module, ALL))
            self._meant.append(module)
            return
        self.nodes.add((module, IMPORTED))
        first, rest = attributes[0], attributes[1:]
        bound = first in source.pieces
        if bound:
            self.nodes.add((module, first))
            self._meant.append(".".join((module, *attributes)))
        if first in source.imports and (module, attributes) not in self._following:
            bound = True
            self._following.append((module, attributes))
            for target in source.imports[first]:
                self._target(target, rest, certain=certain)
            self._following.pop()
        submodule = self._submodule(source, first, bound)
        if submodule is not None:  # beside a name of the package: either may be meant
            self.walk(submodule, rest, certain=certain and not bound)
        elif source.stars or (not bound and "__getattr__" in source.pieces):
            self.nodes.add((module, ALL))
            self._meant.append(f"{module}.{first} of {source.order}")
        elif not bound and certain and not _is_dunder(first):
            raise DataError(
                f"{self._where} names {module}.{first}, which is not there: was it moved, or is it made up from a text?"
            )

    def _submodule(self, source: Source, name: str, bound: bool) -> str | None:
        """The module of that name in a package; a lone module has none beside the names it binds."""
        below = f"{source.name}.{name}"
        return below if (source.package or not bound) and self._source(below) is not None else None

    def _outside(self, module: str) -> bool:
        return module.partition(".")[0] not in self._inside


def _with(digest: str, meant: Collection[str]) -> str:
    """A digest that counts what the names mean, too."""
    sort, _, own = digest.partition(":")
    return f"{sort}:{blob_version(chr(0).join([own, *sorted(meant)]).encode())}" if meant else digest


def _is_dunder(name: str) -> bool:
    """True for the names that the interpreter gives, `__name__` and the like."""
    return name.startswith("__") and name.endswith("__")
