"""Evaluation of trained models: arrays are computed once per seed and shared by all metrics."""
