"""Alarms: raised, acknowledged by somebody, escalated when nobody does."""
