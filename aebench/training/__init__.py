"""Training of all seeds of a model at once."""
