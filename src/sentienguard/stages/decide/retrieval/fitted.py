"""Coefficients of the calibration, one table for each embedding model; "" is words alone.

Computed by `python -m benchmarks matching --data DIR --set fit=1` on 868 public alerts over 334
public runbooks (ridge 25, all services and authors); the figures on those left out are in
docs/explanation/matching.md. Another model, or another `shelf.VERSION`, needs a table of its own.
"""

from collections.abc import Mapping

FITTED_FOR = "1"  # the `shelf.VERSION` whose features these weigh

TABLES: Mapping[str, Mapping[str, float]] = {
    "all-MiniLM-L6-v2@53aa51172d14": {
        "constant": -9.5699,
        "both_covered": 1.3689,
        "crowd": 0.6672,
        "headline_covered": 1.1893,
        "headline_mass": 1.2203,
        "margin": 0.3368,
        "metric_elsewhere": -3.3497,
        "rarest_missing": -1.2551,
        "resource": 0.3957,
        "service": 1.1447,
        "symptom": 0.3228,
        "text": 2.8934,
        "title": 2.9419,
        "title_in_headline": 0.9711,
    },
    "": {
        "constant": -6.8439,
        "both_covered": 1.7545,
        "crowd": 0.7982,
        "headline_covered": 1.6724,
        "headline_mass": 1.2276,
        "margin": 0.1413,
        "metric_elsewhere": -2.0227,
        "rarest_missing": -1.5536,
        "resource": 0.2952,
        "service": 2.1411,
        "symptom": 0.2546,
        "text": 0.0,
        "title": 0.0,
        "title_in_headline": 1.0563,
    },
}
