"""The planner: it chooses a plan from a query, statistics and imputers' costs, without access to an engine."""
