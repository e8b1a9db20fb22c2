"""The Claude API's JSON as types in the API's own words, and its framings. Pure: no I/O, no settings."""
