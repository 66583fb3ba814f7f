"""Server programs of this machine that remedies may speak to, each in its own protocol.

Called by agent.executor, which hands `controls.LocalServers` to steps and its `facts` to guards.
What belongs here: connecting to one declared address on loopback or a Unix socket, asking, and
doing one thing of a closed list. What does not: whether to do it; reading numbers for metrics
(agent.collectors.software).

Rules:

1. Only what the owner of the host declared under `controls` in agent.json is spoken to.
2. Every word that is sent is written here, except choices and numbers that the playbook language
   closes, and names that the program itself gave.
3. An answer is bounded (`wire.MOST_BYTES`), and so is the time for it.
4. A password stands in a file of its own and is never told.

Add one: a file here with what `controls.Control` says a program has, its line in `controls.KINDS`,
its row in ports.servers, its kind in playbook.server_kinds, a test against the real program.
"""
