"""Mutations that cosmic-ray does not make: a statement, a row or an answer that is missing.

Called by `mutants`. Each follows the protocol of cosmic_ray.operators.operator.Operator: positions
of a node where it applies, and the node after the mutation with a given index.
"""

import parso
from cosmic_ray.operators.operator import Operator

_DISPLAYS = {"testlist_comp", "dictorsetmaker", "testlist"}


def _inside_function(node) -> bool:
    while node is not None:
        if node.type in {"funcdef", "lambdef"}:
            return True
        node = node.parent
    return False


class DropStatement(Operator):
    """Leave out a call, a raise, a deletion or an assignment to something that outlives the call.

    Assignments to local names are left alone: without them the next line fails by itself.
    """

    def mutation_positions(self, node):
        if node.type == "simple_stmt" and _inside_function(node) and self._acts(node.children[0]):
            yield (node.children[0].start_pos, node.children[0].end_pos)

    @staticmethod
    def _acts(statement) -> bool:
        if statement.type in {"raise_stmt", "del_stmt"}:
            return True
        if statement.type in {"atom_expr", "await_expr"}:
            return True
        if statement.type == "yield_expr":
            return True
        if statement.type != "expr_stmt":
            return False
        target, sign = statement.children[0], statement.children[1]
        augmented = sign.type == "operator" and sign.value not in {"=", ":"}
        return augmented or target.type in {"atom_expr", "power"}

    def mutate(self, node, index):
        statement = node.children[0]
        replaced = parso.parse("pass").children[0]
        replaced.prefix = statement.get_first_leaf().prefix
        node.children[0] = replaced
        return node

    @classmethod
    def examples(cls):
        return ()


class ReturnNothing(Operator):
    """Answer None instead of what was found."""

    def mutation_positions(self, node):
        if node.type == "return_stmt" and len(node.children) > 1:
            value = node.children[1]
            if value.get_code().strip() != "None":
                yield (value.start_pos, value.end_pos)

    def mutate(self, node, index):
        node.children[1:] = [parso.parse(" None").children[0]]
        return node

    @classmethod
    def examples(cls):
        return ()


class DropRow(Operator):
    """Leave one element out of a tuple, list, set or mapping that is written out."""

    def mutation_positions(self, node):
        rows = [node.children[start] for start, _ in self._rows(node)]
        yield from [(row.start_pos, row.end_pos) for row in rows]

    @staticmethod
    def _rows(node):
        """Yield where each element begins and where the next one does."""
        if node.type not in _DISPLAYS:
            return
        children = node.children
        if any(child.type in {"comp_for", "sync_comp_for"} for child in children):
            return
        commas = [at for at, child in enumerate(children) if child.get_code().strip() == ","]
        if not commas:
            return
        start = 0
        for comma in [*commas, len(children)]:
            if comma > start:
                yield start, min(comma + 1, len(children))
            start = comma + 1

    def mutate(self, node, index):
        start, end = list(self._rows(node))[index]
        prefix = node.children[start].get_first_leaf().prefix
        del node.children[start:end]
        if node.children and start < len(node.children):
            node.children[start].get_first_leaf().prefix = prefix
        return node

    @classmethod
    def examples(cls):
        return ()


OWN = {each.__name__: each for each in (DropStatement, ReturnNothing, DropRow)}
