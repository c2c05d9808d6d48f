"""Answers from m draws: the last aggregation in every draw, its variances, and the pooled estimates."""
