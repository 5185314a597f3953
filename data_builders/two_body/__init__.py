"""The two_body data set."""
