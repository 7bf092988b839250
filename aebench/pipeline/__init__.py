"""The DVC pipeline: how it runs, which code each stage depends on, and whether reported numbers are up to date."""
