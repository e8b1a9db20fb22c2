"""The advisor tool: a second model reads the conversation and tells the first how to go on."""
