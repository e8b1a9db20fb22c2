"""What the simulator does with the code execution tool: small programs for what is asked, and what it says of them."""
