"""The stages of dvc.yaml: verbs, one thin file each."""
