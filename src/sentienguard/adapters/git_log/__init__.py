"""Commits of repositories that the owner declared, as changes.

Made by controlplane.app_context where repositories are set, called as a ports.change_store reader.
`git log` is run with its arguments as a list, for a bounded time, on a local clone that somebody
else keeps up to date: nothing is fetched, and hooks, pagers and configuration of the repository's
own that would run programs are off.
"""
