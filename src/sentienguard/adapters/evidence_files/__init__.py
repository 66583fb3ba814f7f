"""An evidence package as a directory and as one archive.

Called by the composition roots of the control plane and of the CLI. What belongs here: writing a
package's files whole or not at all, the archive with the same bytes each time, and the stand-alone
verifier that goes into each package (`verify_evidence.py`, never imported). What does not: what a
package holds (stages.audit.evidence).
"""
