"""What surrounds the lessons: building their notebooks, and later exercises and the classroom."""
