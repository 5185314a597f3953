"""The three_body data set."""
