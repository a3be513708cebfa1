"""Repeated draws from known truths: do intervals cover, are p-values uniform, do sets hold?"""
