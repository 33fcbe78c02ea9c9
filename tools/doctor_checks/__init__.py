"""The checks of doctor.py. Like it, they need nothing but Python."""
