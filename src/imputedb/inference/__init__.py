"""Inference from multiple imputations: Rubin's rules, tests of several parameters, and pooling of any estimates."""
