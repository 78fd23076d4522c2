"""`fixie organization`: owners of agents that are not one person."""
