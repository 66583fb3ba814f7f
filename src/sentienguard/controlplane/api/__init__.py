"""One file per resource of the public API and of the agents' API.

To add a resource: write `NAME.py` with a `router`, its shapes into `schemas.py`, and name it in
`people.py`. Each route depends on `caller.needs(...)`; the application does not start with one that
does not. The agents' listener has one file, `agents.py`. Routers translate; they decide nothing.
"""
