"""The sandbox: statements run in worker processes that cannot access files, the network or other programs."""
