"""The rules of prepayment, pure: positions, policies, postings, decisions."""
