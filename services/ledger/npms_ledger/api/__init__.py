"""REST in, command out."""
