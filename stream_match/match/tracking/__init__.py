"""Pure: what matches have in common over time, whichever lane found them."""
