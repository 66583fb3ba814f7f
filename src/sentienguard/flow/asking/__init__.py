"""Questions about an incident, answered from its record, and its post-mortem.

Called by controlplane.questions and controlplane.api. Pure. `kinds` recognises a question and says
which there are, `sentences` puts one entry of the log into words, `answering` has a template for
each kind, `postmortem` writes the draft, `pointing` lets a model choose where there is no template.
Rules:

1. Every sentence that claims something names the entries that it rests on. What the log does not
   hold is not claimed; where it holds nothing, that is the answer.
2. A question that is not recognised is answered with the list of those that are.
3. Text of hosts and alerts stands redacted and as text; it chooses no template and no word of ours.

To answer another kind: a member and its words in `kinds`, its template in `answering`, a case in
tests/unit/asking.
"""
