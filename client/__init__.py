"""The clinic's node: recordings stay here, only noised sums leave."""
