"""The self-hosted platform."""
