"""Results as text for a terminal: tables, answers, evaluations, provenance."""
