"""The evaluation protocols over many surrogate cohorts: what they find where nothing is, and how
often they find what is there.
"""
