"""Commands: one ledger and one dispatcher behind bus, HTTP and command line."""
