"""One installation on this machine: what `up` makes and `down` stops.

Called by the commands `up`, `down`, `drill`, `demo` and `doctor`, and by tests, which start whole
installations through the same code.

What belongs here: directories, processes, ports and trust of one data directory. What does not:
what the processes do, and how a command shows it.

    up          start everything; the one function that knows the order
    down        stop everything, by process id and start time
    places      where the files of an installation lie
    processes   a process named so that it is never mistaken for another
    ports       free ports and the settings file
    bundled     the playbooks and proving records that come with the program
    centre      the control plane: trust, first administrator, start, readiness
    host_agent  the agent of this machine: enrolment, start, first sample
    sandbox     the volume and the two services that drills may break
"""
