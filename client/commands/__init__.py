"""The clinic's command line, one file a topic."""
