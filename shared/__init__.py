"""What every party of a federation must agree on: the channels, the features, the mechanism."""
