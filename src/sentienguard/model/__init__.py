"""The nouns: frozen data, typed ids, allowed transitions and the error tree.

Everything may import this package; it imports nothing of ours. What belongs here has a name that
two packages need to say. What computes belongs in a stage, what speaks a format belongs to `trust`,
`playbook` or an adapter. Change makes a copy (`dataclasses.replace`).
"""
