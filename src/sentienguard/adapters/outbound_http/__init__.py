"""The one guarded way out: HTTP and bare connections to what the owner configured.

Called by the composition root, which hands it to the other adapters through ports.outbound. What
may be asked is judged in `destinations`, purely; `client` resolves, judges and connects; `cutting`
ends a request that does not end by itself; `metadata` is the one exception. Rules:

1. Deny by default: a host and port that the owner did not name is refused, whoever asks.
2. A URL is parsed once, strictly: what two parsers could read differently is refused.
3. https, unless the owner wrote http for that host.
4. A name is resolved once; every address that comes back has to be permitted, and the connection
   goes to one of those very addresses, with the name for TLS. A second answer of the DNS is not
   asked for.
5. Addresses that carry an IPv4 address are judged by that one too.
6. Metadata services, link-local, multicast and unspecified addresses are never permitted; an
   identity of this machine is asked of its cloud by `metadata` alone. Other addresses that are not
   public are permitted where the owner said so of that host.
7. Redirects are not followed, no proxy of the environment is used, bodies and time are bounded.

To add a sender: take an `Outbound` as an argument and open no connection beside it.
"""
