"""MLflow as a mirror of the files: the only package that imports mlflow."""
