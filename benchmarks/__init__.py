"""Each claim, the command that shows it, the last numbers (README.md beside this file).

    python -m benchmarks NAME [--data DIR] [--out FILE] [--json] [--set KEY=VALUE ...]

To add one: a module with `run(options) -> dict` of figures whose names carry their units, and a
line in `__main__.NAMES`. A figure stands beside a named rival measured in the same run wherever
there is one; absolute times depend on the machine, ratios less so.
"""
