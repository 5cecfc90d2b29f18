"""Use cases: REST and messages both come here."""
