"""The DVC pipeline: how it runs, which code is behind each stage, and whether printed numbers still hold."""
