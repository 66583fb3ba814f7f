"""Places outside that hold checkpoints: a locked bucket, a time-stamp authority.

Called by `controlplane/app_anchors.py`. Offers `ports.anchor`. What goes out goes through
`ports.outbound`, so to configured destinations alone.

    s3          a version of an object that nobody can delete before its date
    time_stamp  RFC 3161: an authority dates the digest of the checkpoint
    receipts    what is kept here of each, one directory of plain files for auditors

To add one: a module with a class that offers `ports.anchor.Anchor`, its kind in
`controlplane/app_anchors.py`, a test against a real server of its protocol.
"""
