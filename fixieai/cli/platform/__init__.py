"""`fixie platform`: the platform on this machine."""
