"""Speed and memory, measured as ratios within one run, never asserted in timed tests."""
