"""The audit log: who changed what, when and whence. Written by every change (see store.py), and never rewritten."""
