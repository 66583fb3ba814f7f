"""Mutants that survive because they mean the same, each with its reason.

Called by `kernel`. Module -> (function, line before, line after) -> reason. `make thorough` fails
where an entry names a mutant that is gone or that a test notices.
"""

from collections.abc import Mapping

_ONE = "the list has one element here"
_FALSE = "None is as false as False; the type checker asks for the word"
_ABOVE = "the bits of the start are above those of the size that is added"
_EMPTY_PROOF = "without growth the loop is never entered, and the proof is empty anyway"
_LAST = "the number of the last node is never negative, and no node's is above it"
_NOTHING_SEEN = "nothing was seen, so its size is never reached and its time is not asked for"
_AGENT_FIRST = "of agent, cp and user, agent sorts first"
_SAME_KIND = "both sides are of one kind already; the second look is for the type checker"
_NARROWS = "if isinstance(left, (bool, str)) or isinstance(right, (bool, str)):"
_KEYWORDS = '_KEYWORDS = frozenset({"and", "or", "not", "in", "true", "false"})'
_READ_BEFORE = "true and false are read as values before keywords are asked for"
_FLAGS = "two flags that differ add up to the same number"
_BASE64 = "binascii.Error is a ValueError"
_SPLIT = "split = start + _left_size(stop - start)"
_OVER = "if last == 0 or len(sibling) != HASH_BYTES:"
_RIGHT_EDGE = "if position & 1 or position == last:"
_BOTH_ROOTS = "return last == 0 and was == old_root and now == new_root"

REVIEWED: Mapping[str, Mapping[tuple[str, str, str], str]] = {
    "sentienguard.stages.execute.admission": {
        ("Case.bound", "return self.found[0]", "return self.found[ -1]"): _ONE,
        (
            "_catalogue_newest",
            "if found.version == newest.version and newest.digest not in {None, found.digest}:",
            "if found.version <= newest.version and newest.digest not in {None, found.digest}:",
        ): "a lower version was refused by the line before",
        (
            "_parameters",
            "except parameters.ParameterRefused as error:",
            "except parametersCosmicRayTestingExceptionParameterRefused as error:",
        ): "an error in a check is a refusal with the same words (`judge`)",
    },
    "sentienguard.stages.execute.desk": {
        (
            "Desk._refused",
            'if known["state"] != "refused":',
            'if known["state"] < "refused":',
        ): "of admitted, finished and refused, refused sorts last",
    },
    "sentienguard.stages.execute.ledger": {
        ("Ledger._write", 'prev = sealed[-1]["digest"]', mutant): _ONE
        for mutant in ('prev = sealed[- 0]["digest"]', 'prev = sealed[not 1]["digest"]')
    },
    "sentienguard.flow.dispatch": {
        (
            "Dispatch._due",
            "return False",
            "return",
        ): _FALSE,
        (
            "Dispatch._checkpoint",
            "if poll.tree_size in {0, size} or poll.tree_size > size:",
            "if poll.tree_size in {0, size} or poll.tree_size >= size:",
        ): "the same size is in the set already",
    },
    "sentienguard.stages.audit.entry": {
        (
            "tail",
            "match = _TAIL.match(stored, start) if start > 0 else None",
            "match = _TAIL.match(stored, start) if start != 0 else None",
        ): "where the text was not found it does not stand at the beginning either",
        (
            "",
            "  @functools.lru_cache(maxsize=4096) # kinds x sources that are speaking now",
            "",
        ): "a cache saves time and changes no answer",
    },
    "sentienguard.stages.execute.parameters": {
        (
            "subjects",
            "name = subject if subject in names else names[0] if len(names) == 1 else None",
            "name = subject if subject in names else names[ -1] if len(names) == 1 else None",
        ): _ONE,
    },
    "sentienguard.stages.execute.preconditions": {
        (
            "hold",
            "changed=False,",
            "changed=True,",
        ): "whether something changed is written down only for what acted; a check does not",
    },
    "sentienguard.stages.execute.conditions": {
        (
            "fact",
            'if name == "process_alive":',
            'if name <= "process_alive":',
        ): "no other fact of a process sorts before it",
    },
    "sentienguard.model.decision": {
        (
            "Decision.deciding",
            "return tuple(verdict for verdict in self.verdicts if verdict.route == self.route)",
            "return tuple(verdict for verdict in self.verdicts if verdict.route <= self.route)",
        ): "no verdict is stricter than the route, which is the strictest",
    },
    "sentienguard.playbook.conditions": {
        ("", _KEYWORDS, _KEYWORDS.replace('"true", ', "")): _READ_BEFORE,
        ("", _KEYWORDS, _KEYWORDS.replace(' "false"', "")): _READ_BEFORE,
        ("", "re.VERBOSE | re.ASCII,", "re.VERBOSE + re.ASCII,"): _FLAGS,
        ("", "re.VERBOSE | re.ASCII,", "re.VERBOSE ^ re.ASCII,"): _FLAGS,
        (
            "",
            "re.VERBOSE | re.ASCII,",
            "re.VERBOSE - re.ASCII,",
        ): "the difference has both bits, and others that this expression has no use for",
        (
            "_compare",
            'if operator == "!=":',
            'if operator <= "!=":',
        ): "no other operator sorts before !=",
        **{
            ("_compare", _NARROWS, mutant): _SAME_KIND
            for mutant in (
                "if isinstance(left, (str)) or isinstance(right, (bool, str)):",
                "if isinstance(left, (bool,)) or isinstance(right, (bool, str)):",
                "if isinstance(left, (bool, str)) or isinstance(right, (str)):",
                "if isinstance(left, (bool, str)) or isinstance(right, (bool,)):",
                "if isinstance(left, (bool, str)) and isinstance(right, (bool, str)):",
            )
        },
        (
            "_tokens",
            "while at < end:",
            "while at != end:",
        ): "no token reaches over the end, which is no blank",
        (
            "_Reader.whole",
            'if self._next.kind != "end":',
            'if self._next.kind > "end":',
        ): "every other kind of token sorts after end",
        **{
            (place, line, line.replace(old, new)): _ONE
            for place, line in (
                (
                    "_Reader._any",
                    "return parts[0] if len(parts) == 1 else Some(tuple(parts))",
                ),
                (
                    "_Reader._all",
                    "return parts[0] if len(parts) == 1 else Every(tuple(parts))",
                ),
            )
            for old, new in (("parts[0]", "parts[ -1]"), ("==", "<="))
        },
        (
            "_Reader._comparison",
            'if self._next.kind == "symbol" and self._next.text in {*_ORDERED, "==", "!="}:',
            'if self._next.kind <= "symbol" and self._next.text in {*_ORDERED, "==", "!="}:',
        ): "no number, and not the end, has the text of an operator",
        (
            "_Reader._operand",
            'return Literal(token.text == "true")',
            'return Literal(token.text >= "true")',
        ): "the other word here is false, which sorts before true",
    },
    "sentienguard.stages.audit.ledger": {
        (place, line, line.replace("==", "<=")): _AGENT_FIRST
        for place, line in (
            ("Ledger._admit_own", 'if entry.family(new.source) == "agent":'),
            (
                "Ledger._admit_signed",
                'verify_key = self._agent_key(source) if entry.family(source) == "agent" else None',
            ),
            ("Ledger._take", 'if entry.family(after.name) == "agent": # rule 3'),
        )
    },
    "sentienguard.stages.audit.sources": {
        (
            "Sources.judge",
            "if seq < expected:",
            "if seq != expected:",
        ): "a higher number was answered by the line before",
    },
    "sentienguard.stages.audit.checkpoint": {
        (
            "_binary",
            "except (binascii.Error, ValueError) as error:",
            "except (ValueError) as error:",
        ): _BASE64,
    },
    "sentienguard.stages.audit.witness": {
        (
            "Memory.from_fields",
            "except (KeyError, TypeError, ValueError, binascii.Error) as error:",
            "except (KeyError, TypeError, ValueError,) as error:",
        ): _BASE64,
    },
    "sentienguard.stages.audit.merkle": {
        (
            "Tree.append",
            "carried = node_hash(self.at(height, position - 1), self.at(height, position))",
            "carried = node_hash(self.at(height, position ^ 1), self.at(height, position))",
        ): "the position is odd here",
        (
            "Tree.append",
            "if height == len(self._levels):",
            "if height >= len(self._levels):",
        ): "one level is added at a time, so the height is never above their number",
        (
            "Tree.inclusion",
            "while stop - start > 1:",
            "while stop - start != 1:",
        ): "the leaf itself is always inside, so never less than one remains",
        **{
            (place, _SPLIT, _SPLIT.replace("+", sign)): _ABOVE
            for place in ("Tree.inclusion", "Tree.consistency")
            for sign in "|^"
        },
        ("Tree.consistency", "if old in {0, new}:", "if old in {0,}:"): _EMPTY_PROOF,
        (
            "Tree.consistency",
            "while stop != old:",
            "while stop > old:",
        ): "the old tree ends inside what remains or with it",
        (
            "Tree._range",
            "while start < stop:",
            "while start != stop:",
        ): "each step is the biggest that fits, so the last one ends at the stop",
        **{
            (place, line, line.replace(old, new)): _LAST
            for place, line, old, new in (
                ("included", _OVER, "last == 0", "last <= 0"),
                ("included", _RIGHT_EDGE, "==", ">="),
                ("included", "return last == 0 and carried == root", "last ==", "last <="),
                ("consistent", "if last == 0:", "==", "<="),
                ("consistent", _RIGHT_EDGE, "==", ">="),
                ("consistent", _BOTH_ROOTS, "last ==", "last <="),
            )
        },
        (
            "consistent",
            "return empty and (new > 0 or (new == 0 and new_root == EMPTY_ROOT))",
            "return empty and (new > 0 or (new >= 0 and new_root == EMPTY_ROOT))",
        ): "more than none was answered for before",
        (
            "consistent",
            "return old == new and not proof and old_root == new_root",
            "return old <= new and not proof and old_root == new_root",
        ): "the old tree is not the smaller one here",
    },
    "sentienguard.stages.audit.verify": {
        ("_rooted", "return False", "return"): _FALSE,
        **{
            ("_witnessed", "return 0, 0", f"return {mutant}"): _NOTHING_SEEN
            for mutant in ("-1, 0", "0, 1", "0, -1")
        },
        **{
            ("_witnessed", "most, seen = 0, (0, 0)", f"most, seen = 0, ({mutant})"): _NOTHING_SEEN
            for mutant in (" -1, 0", "0, 1", "0, -1")
        },
        (
            "_Examiner.examine",
            'if entry.family(end.source) == "agent":',
            'if entry.family(end.source) <= "agent":',
        ): _AGENT_FIRST,
        (
            "_Examiner._own",
            "if first != index:",
            "if first < index:",
        ): "entries are looked at in their order, so the first was not later",
        (
            "_Judge.close",
            'more = f" ({count - 1} more)" if count > 1 else ""',
            'more = f" ({count - 1} more)" if count != 1 else ""',
        ): "none were answered for by the line before",
        (
            "_newest",
            "if len(hashes) > covered and not live:",
            "if len(hashes) != covered and not live:",
        ): "what is covered is never more than what is there",
    },
}
