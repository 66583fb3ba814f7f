"""Evidence for an auditor: which entries bear on which control, and a package that proves them all.

Called by the CLI (`evidence build`, on a copy of the log) and by the control plane's evidence desk.
What belongs here: the tables of frameworks, the choice of entries, their rows, proofs, gaps, and
the text of the report, all as bytes and nouns. What does not: drawing the PDF
(ports.report_printer), files and archives (adapters.evidence_files). A package is evidence for a
control; whether a control is met is the auditor's word, and no text here says otherwise.

    topics        what each kind of entry is about; a new kind needs one line
    control       what a control and a framework are
    frameworks    the five of them by the name that people give; soc2, hipaa, pci_dss, iso_27001 and
                  gdpr hold one each
    population    the entries of a period, complete by proof
    rows          an entry as a row of CSV and of JSON
    gaps          controls for which the log holds nothing, and stretches without an entry
    report        what the PDF says
    package       all files of a package, the same bytes for the same log and period

To add a framework: a module with one FRAMEWORK, and its line in `frameworks.BY_NAME`.
"""
