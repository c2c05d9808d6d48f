"""Work in the background: kept in the side file, run by processes of its own, taken up again after a restart."""
