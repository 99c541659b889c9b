"""Radios: one file for each kind, found by :mod:`trunks.radio.registry`."""
