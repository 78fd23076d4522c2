"""Who the person at this machine is to a platform."""
