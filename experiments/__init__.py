"""Programs people run: `python -m experiments.<program>`."""
