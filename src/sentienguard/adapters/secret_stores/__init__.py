"""Where secrets lie: the environment, files, a Vault, AWS Secrets Manager.

Called by the composition roots, which open one `door.Door` of the owner's stores. Offers
`ports.secrets`. Rules:

1. A secret is fetched each time it is used. Nothing here keeps one.
2. No message, no `repr` and no exception quotes a secret or an answer that could hold one.
3. A file of secrets may be read by its owner alone.

To add a store: a module with a class that offers `door.Store`, a row in `door.read`, its test
against a real server of its protocol.
"""
