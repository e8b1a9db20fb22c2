"""The Models API: which models there are, what each can do, and until when."""
