"""The centre's database in memory: one file per store, over one `database` that can be away.

Called by `centre`, `flows`, `spells`, `permitted` and `planted`, and by tests of flow. What belongs
here: what the ports promise of each store, kept in dictionaries. What does not: how the real stores
keep a transaction whole, which is for their own contract and fault suites. To add one: a file with
one class that takes the `Database`, and its line in `centre.Site`.
"""
