"""What publish_model.py checks and writes."""
