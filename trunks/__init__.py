"""The lines that people speak on."""
