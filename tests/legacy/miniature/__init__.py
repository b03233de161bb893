"""A miniature of the legacy pipeline: the control of end-to-end tests."""
