"""Logistic regression as sums over clinics, and the pooled reference it must equal."""
