"""The stand: real programs around the gateway, started for a demonstration or a test and stopped without trace."""
