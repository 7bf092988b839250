"""Benchmarks of speed against other implementations, as ratios measured in one run: `make bench`."""
