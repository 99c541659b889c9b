"""The configuration of Asterisk, made from a plan: templates, their rendering, and the fallback that Asterisk runs."""
