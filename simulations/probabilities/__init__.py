"""How a private model's score becomes a probability, measured on surrogate populations."""
