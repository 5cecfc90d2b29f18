"""`npms why`: a charge, a balance, a cut or a top-up explained in words."""
