"""Many draws, one answer: Rubin's rules, tests of several parameters, and pooling of anybody's estimates."""
