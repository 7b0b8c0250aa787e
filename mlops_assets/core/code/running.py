"""What a statement does while its module is imported, as far as its text tells. What stays open counts as doing."""

import ast
from collections.abc import Iterator

from mlops_assets.core.code.names import FunctionNode, runs_text, writes_by_name

_GIVEN_ON = frozenset({"map", "filter", "reduce"})  # what they call is an argument


def running(statement: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run when the statement does: class bodies, decorators and defaults do, bodies of functions not."""
    waiting = [statement]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, FunctionNode):
            waiting += [*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)]
        elif isinstance(node, ast.Lambda):
            waiting += [*node.args.defaults, *filter(None, node.args.kw_defaults)]
        else:
            waiting.extend(ast.iter_child_nodes(node))


def acts(node: ast.AST) -> bool:
    """True for a node that does something beside giving a name its value: it may change what others made."""
    if isinstance(node, ast.Expr):
        return not isinstance(node.value, ast.Constant)
    if isinstance(node, ast.Attribute):
        return not isinstance(node.ctx, ast.Load) or writes_by_name(node.attr)
    if isinstance(node, ast.Subscript):
        return not isinstance(node.ctx, ast.Load)
    return isinstance(node, ast.AugAssign) or (isinstance(node, ast.Name) and runs_text(node.id))


def called(nodes: list[ast.AST]) -> list[ast.AST]:
    """What is called among the nodes; of `f(x)(y)` it is f."""
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    given = [each for call in calls if getattr(call.func, "id", "") in _GIVEN_ON for each in call.args]
    return [*(call.func for call in calls if not isinstance(call.func, ast.Call)), *given]


def inherited(nodes: list[ast.AST]) -> list[ast.AST]:
    """The base classes and metaclasses among the nodes."""
    classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
    return [each for node in classes for each in (*node.bases, *(keyword.value for keyword in node.keywords))]
