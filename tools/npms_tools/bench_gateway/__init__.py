"""What one process of the gateway needs for ten thousand meters, each behind its own address."""
