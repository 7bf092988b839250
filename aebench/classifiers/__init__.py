"""Classifiers: probes of frozen codes (linear, ridge), and the feature classifier that measures generated images."""
