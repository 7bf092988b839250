"""The stages of dvc.yaml: one short file each, which parses the arguments and calls the library."""
