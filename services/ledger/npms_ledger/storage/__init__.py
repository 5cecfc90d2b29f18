"""Everything that speaks SQL; rows in, rows out, no rules."""
