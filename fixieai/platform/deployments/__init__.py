"""Uploaded code as running agents: read safely, in an environment and a process of its own."""
