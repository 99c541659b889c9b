"""The SMS platform."""
