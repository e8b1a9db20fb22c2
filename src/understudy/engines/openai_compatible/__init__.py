"""Models behind servers that speak OpenAI's chat completions: vLLM, SGLang, Ollama, LM Studio, llama-server, OpenAI."""
