"""How good each recording is: measures, a verdict with its reasons, a table and a page."""
