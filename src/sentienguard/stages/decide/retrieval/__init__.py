"""Which texts of a library are for what an alert says; none is an answer.

Called by `match eval`, the matching benchmark and, with measured facts alone, by
`stages.decide.matching`. Pure: vectors are handed in, so that a decision can be repeated without
the model that made them.

    lexicon      one spelling for words, the classes of symptoms and resources, families of systems
    question     what an alert says, taken apart: service, name, metrics, sentences
    shelf        a library prepared once: words, rarity, vectors
    ranking      the parts of the score, their sum, and the words and slots that matched
    siblings     what tells the first from a sibling of one that the library lacks
    calibration  the probability that the first one is right, and what keeps it below autonomy

What does not belong: what may be done about it (`policy`), and whether the remedy works where it is
the right one (`confidence`).
"""
