"""What runs inside Home Assistant's own Python, to see what it makes of our messages."""
