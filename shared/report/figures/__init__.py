"""The plots of the report: each a pure function from a section to one inline picture."""
