"""What is inside images and PDFs."""
