"""Home Assistant's frontend in a real Chromium, with a demo behind it."""
