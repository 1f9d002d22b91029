"""Invented young people for trials, examples and tests."""
