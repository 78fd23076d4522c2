"""One call to a language model."""
