"""What an agent says to the network, judged from a capture that somebody else took.

Called by `cli.traffic_commands`. `capture` reads pcap and pcapng, `connections` puts packets
together, `tls` reads what is not encrypted of TLS, `verdict` judges. All pure: bytes in, findings
out. Nothing is decrypted; what the capture cannot show is not claimed.
"""
