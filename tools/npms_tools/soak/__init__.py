"""The soak: real services on a street full of faults, and every value accounted for afterwards."""
