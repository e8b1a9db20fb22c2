"""Understudy as a gateway, next to other gateways and to a bare proxy, in front of a fake upstream."""
