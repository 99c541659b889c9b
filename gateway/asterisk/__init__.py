"""Asterisk: AMI client, FastAGI server, CEL reader; each a pure codec and a thin connection."""
