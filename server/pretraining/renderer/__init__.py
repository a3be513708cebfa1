"""Rendered faces whose action units are known exactly, from the ICT-FaceKit mesh of the user."""
