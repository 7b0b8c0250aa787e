"""A statement read once: its normalised spelling, and the names it may look up outside itself.

The spelling is the syntax tree without positions, comments, docstrings: it changes with what the code does.
"""

import ast
from dataclasses import dataclass, field
from typing import Any

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef

_LEFT_OUT = ("ctx", "type_comment", "kind", "type_ignores")  # says nothing that the rest of the tree does not
_FIELDS = {
    sort: tuple(name for name in sort._fields if name not in _LEFT_OUT)
    for sort in vars(ast).values()
    if isinstance(sort, type) and issubclass(sort, ast.AST)
}
# methods by which a table, a list, a set or a library takes something in or lets it go
_WRITING = frozenset({
    "append", "appendleft", "extend", "extendleft", "insert", "add", "update", "setdefault", "pop", "popitem", "clear",
    "remove", "discard", "register", "listen", "subscribe", "setitem", "delitem", "__setitem__", "__delitem__",
})  # fmt: skip
_RUNNING_TEXT = frozenset({"setattr", "delattr", "exec", "eval", "globals", "setitem", "delitem"})
_MAKING = frozenset({"list", "dict", "set", "sorted", "bytearray", "defaultdict", "deque", "copy", "deepcopy"})
_NEW = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp, ast.Constant, ast.BinOp)


@dataclass
class Names:
    """What some statements name. No scopes are told apart: a local of a global's name counts as the global.

    `chains`: root name and the attributes asked of it, ("np", "random", "default_rng"). `hints`: names in annotations
    that are written as texts. `bound`: names given a value somewhere inside. `imports`: statements inside.
    `stored`: names assigned to, `fresh`: those assigned a new object, both as often as that happens. `written`: names
    whose objects are written to, "" for one that has no name.
    """

    spelling: list[str] = field(default_factory=list)
    chains: set[tuple[str, ...]] = field(default_factory=set)
    hints: set[tuple[str, ...]] = field(default_factory=set)
    bound: set[str] = field(default_factory=set)
    imports: list[ast.Import | ast.ImportFrom] = field(default_factory=list)
    stored: list[str] = field(default_factory=list)
    fresh: list[str] = field(default_factory=list)
    written: set[str] = field(default_factory=set)

    @property
    def writes(self) -> bool:
        """Whether an object may be written to that was not made here."""
        return any(self.stored.count(name) > self.fresh.count(name) or name not in self.fresh for name in self.written)

    def add(self, node: Any) -> None:
        """Read a node (or a list of them, or a constant) and all below it."""
        kind = type(node)
        if kind is list:
            self.spelling.append("[")
            for item in node:
                self.add(item)
            self.spelling.append("]")
            return
        fields = _FIELDS.get(kind)
        if fields is None:
            self.spelling.append(repr(node))
            return
        if kind is ast.Name:
            self._name(node)
            return
        if kind is ast.Constant:
            self.spelling += ("Constant", repr(node.value))
            return
        self.spelling.append(kind.__name__)
        if (kind is ast.Assign or kind is ast.AnnAssign) and _is_new(node.value):
            targets = node.targets if kind is ast.Assign else [node.target]
            self.fresh += [target.id for target in targets if isinstance(target, ast.Name)]
        if kind is ast.Attribute:
            if not isinstance(node.ctx, ast.Load) or writes_by_name(node.attr):
                self.written.add(_root(node))
            if self._chain(node):
                return
        elif kind is ast.Subscript and not isinstance(node.ctx, ast.Load):
            self.written.add(_root(node))
        elif kind is ast.Global:
            self.written.add("")
        if kind is ast.Import or kind is ast.ImportFrom:
            self.imports.append(node)
        for name in fields:
            value = getattr(node, name)
            if value is None:
                self.spelling.append("")  # no identifier is empty
            elif type(value) is str:
                self.spelling.append(value)
                if name in ("name", "arg", "rest") and kind is not ast.keyword:
                    self.bound.add(value)  # a definition, an argument, an except, a pattern
            elif name == "body" and isinstance(node, FunctionNode | ast.ClassDef):
                self.add([each for each in value if not is_text(each)] or [ast.Pass()])
            else:
                if name in ("annotation", "returns"):
                    self._texts_in(value)
                self.add(value)
        self.spelling.append(")")

    def _name(self, node: ast.Name) -> None:
        self.spelling += ("Name", node.id)
        if isinstance(node.ctx, ast.Load):
            self.chains.add((node.id,))
            if runs_text(node.id):
                self.written.add("")
        else:
            self.bound.add(node.id)
            self.stored.append(node.id)

    def _chain(self, node: ast.Attribute) -> bool:
        """Read the whole of `a.b.c` and say so; False for an attribute of anything but a name, `f().x`."""
        attributes = [node.attr]
        root = node.value
        while isinstance(root, ast.Attribute):
            attributes.append(root.attr)
            root = root.value
        if not isinstance(root, ast.Name):
            return False
        chain = (root.id, *reversed(attributes))
        self.chains.add(chain)
        self.spelling += [".", *chain, ")"]  # no node is spelled ".", so no chain reads like one
        return True

    def _texts_in(self, annotation: ast.expr) -> None:
        for node in ast.walk(annotation):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                try:
                    meant = Names()
                    meant.add(ast.parse(node.value, mode="eval"))
                except SyntaxError:  # a Literal["no name"]
                    continue
                self.hints |= meant.chains


def writes_by_name(attribute: str) -> bool:
    """True for a method that changes its object, by the names of Python's own."""
    return attribute in _WRITING


def runs_text(name: str) -> bool:
    """True for a function of Python's that may change anything."""
    return name in _RUNNING_TEXT


def _is_new(value: ast.expr | None) -> bool:
    """True for a display, a comprehension, a constant, a call of a class or of one that makes a container."""
    if isinstance(value, ast.Call):
        name = value.func.attr if isinstance(value.func, ast.Attribute) else getattr(value.func, "id", "")
        return name in _MAKING or name[:1].isupper()
    return isinstance(value, _NEW)


def _root(node: ast.expr) -> str:
    """The name that `a.b[c].d` begins with; "" for none, `f().x`."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def is_text(node: ast.AST) -> bool:
    """True for a docstring or any other text that stands as a statement: it does nothing."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
