"""The stages of dvc.yaml, one thin file each: parse the arguments, call `aebench`."""
