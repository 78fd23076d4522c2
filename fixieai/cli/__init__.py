"""The command line, `fixie`."""
