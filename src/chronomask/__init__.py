"""Video instance segmentation: find, name, cut out and follow every object in a video."""
