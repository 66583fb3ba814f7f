"""The metric store in one SQLite file: a tail of whole samples, and compressed blocks behind it.

Constructed by the control plane's app.py; offers ports.metric_store. An append is one row: the
readings of a moment in the order of their *shape* (the list of series that a host reports). In the
background `compact` turns the tail into one compressed block for each series and some hours.

    store     the port: transactions, threads, errors
    codec     times and values to compressed bytes and back, exact to the last bit
    queries   every statement, named, with a sentence

What does not belong: what a reading means (stages.detect), and how many days are worth keeping
(settings of the control plane).
"""
