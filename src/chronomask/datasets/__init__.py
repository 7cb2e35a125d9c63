"""Work on whole data sets: what is in them, what they look like, and new ones made from them."""
