"""Measurements against a raw ASGI echo in the same run: ratios mean the same on any machine, plain numbers do not."""
