"""URLs: each module turns requests into calls of the services above it, and answers into JSON."""
