"""Targets that a program beside the executor asks: gcloud, az, ssh, and our own helper for AWS.

Called by agent.relays. Each file is one vendor: which argv asks what, and what the answer means
(`gcloud`, `azure`, `ssh`, `aws`). What is common to them, when an act is done, refused or put back,
is `target`; how a program is run is `programs`. `aws_helper` is a program of its own: it alone
loads boto3, in a process that lives for one call. What does not belong here: credentials; the
programs find those where agent.json says.

To add a vendor: one file with a `target.Vendor`, its declaration in agent.relay_settings, its
objects and acts in playbook.objects, and its contract test in tests/integration/relays.
"""
