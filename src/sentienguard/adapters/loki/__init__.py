"""The port on Grafana Loki: log lines of a service by its HTTP API.

Made by controlplane.app_context where a Loki is set, called through ports.log_search. Only
`query_range` is asked, and nothing is written. What a service's streams are called is the owner's
setting; names that fill it in are quoted, so that none becomes a part of the query.
"""
