"""Copy the results from files to MLflow."""
