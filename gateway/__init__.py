"""The daemon: command line, composition root and the services that every feature uses."""
