"""Coefficients of the calibration, two tables for each embedding model; "" is words alone.

Computed by `python -m benchmarks matching --data DIR --set fit=1` on 868 public alerts over 334
public runbooks (ridge 20, all services and authors); the figures on those left out are in
docs/explanation/matching.md. Another model, or another `shelf.VERSION`, needs a table of its own.
"""

from collections.abc import Mapping

FITTED_FOR = "3"  # the `shelf.VERSION` whose features these weigh

TABLES: Mapping[str, Mapping[str, float]] = {
    "all-MiniLM-L6-v2@53aa51172d14": {
        "constant": -8.1011,
        "both_covered": 1.79,
        "headline_covered": 1.0926,
        "headline_mass": 1.3631,
        "metric_elsewhere": -4.2543,
        "rarest_missing": -1.7353,
        "resource": 0.4363,
        "service": 1.4434,
        "symptom": 0.1774,
        "text": 3.3489,
        "title": 2.7102,
        "title_in_headline": 1.4674,
        "told": 2.188,
    },
    "": {
        "constant": -5.4663,
        "both_covered": 2.2318,
        "headline_covered": 1.2211,
        "headline_mass": 1.3263,
        "metric_elsewhere": -4.0887,
        "rarest_missing": -1.6597,
        "resource": 0.1941,
        "service": 2.1277,
        "symptom": 0.2834,
        "text": 0.0,
        "title": 0.0,
        "title_in_headline": 1.6184,
        "told": 3.0436,
    },
}

# Whether it is the right one or a sibling of it, for rule 4 of `calibration`: ridge 10, on those of
# these alerts that reach 0.6, asked of the whole library and of one without their right texts.
SIBLINGS: Mapping[str, Mapping[str, float]] = {
    "all-MiniLM-L6-v2@53aa51172d14": {
        "constant": -1.9115,
        "ahead": 2.6584,
        "excluded": -3.9539,
        "lead": 0.0242,
        "name_differs": -1.828,
        "symptom_differs": -1.601,
        "title_pairs": 1.0304,
        "told": 2.381,
    },
}
