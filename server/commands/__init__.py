"""The coordinator's command line, one file a topic; pretraining has that of the network."""
