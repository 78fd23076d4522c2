"""How the platform calls agents."""
