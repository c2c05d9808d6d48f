"""Answers from m draws: the outermost aggregation in every draw, its variances, and the pooled estimates."""
