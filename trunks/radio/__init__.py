"""Trunked radio: drivers behind one contract, keyers that never leave a transmitter keyed, and honest simulators."""
