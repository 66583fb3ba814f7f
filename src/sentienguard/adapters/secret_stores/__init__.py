"""Where secrets lie: the environment, files, a Vault, the secret managers of three clouds.

Called by the composition roots, which open one `door.Door` of the owner's stores. Offers
`ports.secrets`. Rules:

1. A secret is fetched each time it is used, and so is the token that fetches it. Nothing here
   keeps one.
2. No message, no `repr` and no exception quotes a secret or an answer that could hold one.
3. A file of secrets may be read by its owner alone.
4. The identity of this machine is asked of its cloud at one fixed address and nowhere else, by the
   way `Means.metadata`, which goes nowhere else.

To add a store: a module with NEEDED, MORE, `wanted` and `opened` as `store.Kind` says, a row in
`door.KINDS`, its test against a real server of its protocol.

Google and Azure are asked by their documented HTTP instead of by google-auth, azure-identity and
their clients: those are ten packages with connections of their own, beside the guarded way out, and
what is needed of them is one request for a token and one for the secret.
"""
