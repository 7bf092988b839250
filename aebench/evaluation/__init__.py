"""Evaluation of trained models. Arrays are computed once per seed and shared by all metrics."""
