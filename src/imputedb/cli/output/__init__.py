"""Results as text at a terminal: tables, answers, evaluations, provenance."""
