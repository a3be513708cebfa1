"""The evaluation of cohorts: the report of one, and the protocols over many surrogate ones (what
they find where nothing is, and how often they find what is there).
"""
