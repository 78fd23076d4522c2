"""`fixie agent`: making, serving and listing agents."""
