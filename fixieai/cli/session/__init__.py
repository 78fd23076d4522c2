"""`fixie session`: conversations."""
