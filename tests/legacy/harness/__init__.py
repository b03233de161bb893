"""Starts everything the miniature needs, runs a recorded case and writes down what happened."""
