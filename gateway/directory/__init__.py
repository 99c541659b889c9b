"""Contacts: who is behind a number."""
