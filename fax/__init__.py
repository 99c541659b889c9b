"""The fax pool."""
