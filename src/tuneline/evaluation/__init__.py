"""Scoring predictions: metrics, a paired comparison of two models on the same rows, and the gate for promotion."""

from tuneline.evaluation.gate import Decision, gate
from tuneline.evaluation.metrics import METRICS, Metric, edit_similarity, exact_match, is_code, parses, rouge_l
from tuneline.evaluation.predictions import Prediction, read_predictions
from tuneline.evaluation.scores import Score, Scores, compare_models, samples

__all__ = [
    "METRICS",
    "Decision",
    "Metric",
    "Prediction",
    "Score",
    "Scores",
    "compare_models",
    "edit_similarity",
    "exact_match",
    "gate",
    "is_code",
    "parses",
    "read_predictions",
    "rouge_l",
    "samples",
]
