"""Public root-cause data as snapshots, one module for each set.

Called by `benchmarks.diagnosis`. A module knows one set's files and nothing of diagnosis: it turns
a case into the neutral snapshot, and a verdict into the line that the data's scorer reads. Formats
of other people live here and nowhere in the product. A module offers:

    cases(directory) -> iterator of Case       in the order of their ids; directory may be absent
    predict(case, verdict) -> dict             the scorer's line, without the id

To add a set: a module here and its name in `SETS` of `benchmarks/diagnosis.py`.
"""
