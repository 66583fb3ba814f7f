"""Who said so: canonical bytes, keys, envelopes, trusted documents, freshness and pins.

Called by every process: the control plane seals orders and keeps the log, the executor opens and
judges everything that reaches it, the collector pins its server, the CLI signs offline. What
belongs here: each decision that rests on a signature, a digest, a nonce or a version that may only
rise. What does not: whether an order is wise (`stages`), files and sockets (`adapters`), the log
(`stages.audit`).

Pure: bytes and times in, typed data or `dsse.NotTrusted` out. The only package that imports
`cryptography`. This file imports nothing and must stay so: `canonical`, `freshness` and `pins` use
the standard library alone, and the collector loads them without paying for a cryptography library.

    canonical     the one way to write a value as bytes
    keys          Ed25519
    dsse          payloads with signatures, counted by distinct key
    fields        strict reading of payload members
    delegation    how far a signer's key reaches
    log_keys      which key signs the log up to which size
    root          which keys may do what; changes only by the threshold of the old and the new keys
    catalogue     which playbooks may run, and what they proved; its version never falls
    order         orders, stops and approvals
    approvers     who approves, and whose each of their keys is, as a root lists it
    passkeys      approvals that a person signs in the browser
    ssh_approvals approvals that a person signs with an OpenSSH key; ssh_keys judges the keys
    renewal       a host's word that it is still there, for a certificate that ended
    freshness     nonces by the monotonic clock, sequence marks
    pins          the digest of a certificate's public key
    certificates  the authority of the TLS links and what it signs
    sealed        blobs that are erased by erasing their key
    sshsig        files that a person signed with an SSH key; ssh_wire reads the format's fields
    webhook_signatures  bodies that other systems sign with a shared secret

To add a document: a payload type, a frozen class and a pair seal/open in a file of its own; open
through `dsse.open_envelope` first, then `fields`.
"""
