"""Federate any labelled table of features, one site a clinic."""
