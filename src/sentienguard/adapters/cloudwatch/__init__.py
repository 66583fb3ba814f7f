"""Amazon CloudWatch: offers ports.metric_source by GetMetricData.

Made by controlplane.app_cloudwatch, where the owner's file asks for it; needs the extra
`sentienguard[aws]`. boto3 is here for what it is good at: profiles, roles and their renewal, and
the protocols of AWS. It is imported when the first question is asked, and asks nobody for
credentials but those that the file names: no metadata service, no variables of the environment.
"""
