"""The coordinator's side: it opens sums, never rows."""
