"""The switchboard: lines, calls, dialling."""
