"""Tell people through chat, mail, paging and tickets: one module for each service.

Called by the composition root, which reads the owner's channels (`channels.read`) and hands each
`Notifier` to controlplane.notice_desk. Rules:

1. A module writes a notice in its service's own structure, so that text of hosts is text there: no
   mention, no link, no heading can come of it. Where a service knows markup alone, it is escaped.
2. Everything goes out through the `Outbound` (or the guarded connection) that was handed in.
3. A module repeats nothing and remembers nothing: `NotNow` asks to come again, `NotTaken` not to.
4. Secrets are read from files that the channel names, and stand in no message and no error.

To add a service: a module with `KIND`, `wanted` and `open_channel` like the others, its line in
`channels.SERVICES`, its test against a server that checks the service's published format, and a
page under docs/how-to.
"""
