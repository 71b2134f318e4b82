"""Ways in: each hands bytes and envelope to intake and acknowledges only after the commit."""
