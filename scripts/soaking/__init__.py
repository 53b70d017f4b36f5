"""What `scripts/soak.py` is made of: programs that are killed, who listens to them, and what must hold."""
