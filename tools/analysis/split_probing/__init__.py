"""What split_probe.py is made of."""
