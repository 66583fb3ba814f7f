"""One incident to one decision with its reasons.

Called by `flow` and by the control plane's composition root. Pure: the same inputs give the same
decision, which is what `replay` rests on; the time is the evidence's, and history is an argument.

    evidence     what is known, frozen, and the same in words
    words        one spelling for what people and machines call the same thing
    matching     which playbooks are for this; none is an answer
    confidence   how probable it is that the best one resolves it
    standing     how much a playbook has earned on a kind of target
    crediting    whether a recovery counts for the remedy that ran before it
    reliability  how far confidence was right
    parameters   what the playbook is to work on, from measured facts only
    policy       rules, each with the most that it would allow
    routing      the meet of the rules, and its words
    approval     the question to a person
    planning     the decision as an order that leaves nothing to choose
    decide       all of it, in one readable function
    advice       what an adviser's opinion may do to it; advice_prompt, advice_tools and
                 advice_answer are what it is asked and how its answer is read

Text that anybody on a host can write (log lines, names of files and processes) may explain and may
break a tie; it never raises what is permitted (`matching`, rule 3, and `decide`). No language model
can be reached from here by imports; what one said arrives as an `Opinion`, and can only restrict.
"""
