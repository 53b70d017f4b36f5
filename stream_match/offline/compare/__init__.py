"""Two sequences compared frame by frame: links between them, and the path along which they agree."""
