"""Reports as PDF, with reportlab's canvas: text at a place, and nothing that lays out for us.

Called by the composition roots of the control plane and of the CLI. Offers ports.report_printer.
What belongs here: fonts, pages, where a line breaks. What does not: what a report says
(stages.audit.evidence.report). Drawing line by line takes a fifth of the time and memory of
reportlab's own flowing layout, and gives the same bytes for the same report.
"""
