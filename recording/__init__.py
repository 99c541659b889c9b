"""Recording: capture, watch, finish, index, evidence."""
