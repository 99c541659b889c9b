"""Incidents: the reference that ties calls, messages, faxes and radio traffic together."""
