"""One rule a file, each a function from snapshots to a result."""
