"""What a run leaves behind for people and editors: overlay, mask images, cutouts, a table of boxes."""
