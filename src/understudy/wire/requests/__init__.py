"""The bodies of POST /v1/messages and its count_tokens, as they are with every beta on.

Source: types of the official Python SDK 2.12.0, and the observed order and null rules of the real service (2026-08).
A key that may miss is `NotRequired`; a key where null means the same adds `| None`. Fields stand in reporting order.
"""
