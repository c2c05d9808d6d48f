"""Who asks, and what he may ask for: credentials, rates, and statements that read and do nothing else."""
