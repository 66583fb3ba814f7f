"""The metric store in one SQLite file: a tail of whole samples, and compressed blocks behind it.

Constructed by the control plane's app.py; offers ports.metric_store. An append is one row: the
readings of a moment in the order of their *shape* (the list of series that a host reports). In the
background `compact` turns the tail into one compressed block for each series and some hours, and
`age` turns blocks that are too old into windows of five minutes, and those into windows of an hour.

    store        the port: appends, reads, housekeeping
    registry     numbers of series and shapes, as memory knows them
    blocks       readings of a series as rows of the file
    ageing       old readings to windows, as rows of the file
    newest       the newest reading of each series of some hosts
    decoded      the blocks that were read last, as arrays
    columns      readings as arrays, and joining them
    windows      what stays of a window's readings, and joining them
    codec        times and values to compressed bytes and back, exact to the last bit
    connections  one writer, many readers, transactions
    faults       what SQLite says, in the words of the port
    queries      every statement, named, with a sentence

What does not belong: what a reading means (stages.detect), and how many days are worth keeping
(the control plane's housekeeping).
"""
