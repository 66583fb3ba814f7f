"""Mutants that survive because they mean the same, each with its reason.

Called by `kernel`. Module -> (function, line before, line after) -> reason. `make thorough` fails
where an entry names a mutant that is gone or that a test notices.
"""

from collections.abc import Mapping

_ONE = "the list has one element here"
_SAME_KIND = "both sides are of one kind already; the second look is for the type checker"
_NARROWS = "if isinstance(left, (bool, str)) or isinstance(right, (bool, str)):"
_KEYWORDS = '_KEYWORDS = frozenset({"and", "or", "not", "in", "true", "false"})'
_READ_BEFORE = "true and false are read as values before keywords are asked for"
_FLAGS = "two flags that differ add up to the same number"
_BASE64 = "binascii.Error is a ValueError"
_VERSION = "fields.document asks for the member v in any case"

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
    "sentienguard.stages.decide.policy": {
        (
            "earned_autonomy",
            "record.proven_runs > 0",
            "record.proven_runs != 0",
        ): "there are no fewer runs than none",
    },
    "sentienguard.stages.audit.ledger": {
        (place, line, line.replace("==", "<=")): "of agent, cp and user, agent sorts first"
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
    "sentienguard.trust.order": {
        (
            "approved_by",
            'payload, "approval", {*_deed(signed.order), "approver"} - {"v"}',
            f'payload, "approval", {{*_deed(signed.order), "approver"}} {sign} {{"v"}}',
        ): _VERSION
        for sign in ("|", "^")
    },
}
