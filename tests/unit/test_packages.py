"""The folders' names are generic, so nobody else in this environment may have them (docs/decisions/0001)."""

from importlib import metadata

OURS = {"gateway", "trunks", "recording", "sms", "fax", "config"}


def test_no_other_distribution_claims_our_packages():
    claimed = {name: set(owners) for name, owners in metadata.packages_distributions().items() if name in OURS}
    assert {owner for owners in claimed.values() for owner in owners} <= {"trunkline"}, claimed


def test_tests_and_units_are_not_installed():
    names = set(metadata.packages_distributions())
    assert not names & {"tests", "systemd", "benchmarks", "docs"}
