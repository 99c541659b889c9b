"""The timeline on the real store: the journal answers."""
