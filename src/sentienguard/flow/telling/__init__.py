"""What people are told about incidents, where, when, and how often.

Called by controlplane.notice_desk, which keeps messages until they were delivered. Pure: entries of
the log and rows of stores go in, notices and times come out. `wording` says what an entry means to
people, `routes` which channel hears of it and when, `threads` what follows from what a channel
heard of an incident before, `folding` what becomes one message in a storm, `letters` how a notice
is kept, `loud` what no route keeps from any channel. How a service writes a notice belongs to
adapters.notify.

To let people hear of another kind of entry: a line in `wording.TOLD`.
"""
