"""A statement as blocks: those that are planned, each on its own, and tables that are completed at their scans."""
