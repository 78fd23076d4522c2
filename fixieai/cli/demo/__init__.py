"""`fixie demo`: two agents at work."""
