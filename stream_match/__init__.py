"""Software that listens: what is playing, where in it we are, told over MQTT."""
