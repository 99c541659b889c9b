"""What everything else stands on: text, errors, clock, ids, events, supervision. Imports nothing of the project."""
