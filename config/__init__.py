"""Settings: how they are read, their defaults, and the templates for Asterisk and the broker."""
