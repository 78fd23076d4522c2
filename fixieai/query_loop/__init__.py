"""The query loop: decides what happens next, does nothing itself (no I/O, no clock)."""
