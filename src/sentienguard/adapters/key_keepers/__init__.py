"""Keys that wrap the data keys of the relational store: a file of this machine, AWS KMS.

Called by the composition root, which opens one `several.Several` of what the owner configured.
Offers `ports.key_keeper`. Rules:

1. A wrapped key says which key wrapped it; former keys still unwrap, so changing one needs no
   pause.
2. What is wrapped is bound to what it is for: it opens for nothing else.
3. No message, no `repr` and no exception shows a key.

To add a keeper: a module with a class that offers the port, its row in the composition root, its
test against a real server of its protocol.
"""
