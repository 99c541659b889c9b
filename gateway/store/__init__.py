"""The store: state and its events in one transaction, through one writer thread; the journal of everything told."""
