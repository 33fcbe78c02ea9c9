"""What gpu_report.py is made of."""
