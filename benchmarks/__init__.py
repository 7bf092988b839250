"""How fast, against whom, as ratios in one run: `make bench`."""
