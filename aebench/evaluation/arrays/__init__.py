"""The arrays that metrics read, one file per question: the only code that runs a trained model for evaluation."""
