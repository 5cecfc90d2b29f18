"""The audit: proof, from all five databases, that money and energy were conserved."""
