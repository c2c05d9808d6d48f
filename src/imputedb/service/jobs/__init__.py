"""Background jobs: stored in the side file, run in processes of their own, resumed after a restart."""
