"""What photo_faces_report.py is made of."""
