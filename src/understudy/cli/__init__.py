"""The commands: `understudy serve`, `keys`, `doctor`."""
