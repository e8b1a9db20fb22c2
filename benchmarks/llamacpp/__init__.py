"""Understudy with a GGUF model, beside the llama.cpp server that runs the model for it."""
