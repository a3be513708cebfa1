"""Data sets of faces with affect labels, each read from its official layout."""
