"""The MQTT event bus: port, adapter, outbox relay, retained state, commands, replay, private broker."""
