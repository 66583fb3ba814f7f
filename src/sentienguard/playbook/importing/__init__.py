"""Drafts of playbooks from what others wrote for other tools, and what was lost on the way.

Called by `sentienguard playbook import`. A draft is a place to begin, never a remedy: it has no
guard, it asks for a person, and it cannot be signed before somebody has finished it. Pure: bytes
in, texts out. What comes in is untrusted: it is bounded, read without tags, aliases and code, and
nothing in it is ever run or filled in. What belongs here: one reader for each source (`ansible`,
`rundeck`, `stackstorm`, `ssm`), what they share (`reading`, `lines` of commands, `drafts`), and the
two texts that come out (`writing`, `report`). What does not: rules about what may be signed
(`playbook.lint`), files.

To add a source: one file with `read(found: Node) -> tuple[drafts.Draft, ...]`, one line in
`sources.SOURCES` with how it is recognised, fixtures written after its public documentation in
tests/unit/playbook, and a row in docs/reference/playbook-import.md.
"""
