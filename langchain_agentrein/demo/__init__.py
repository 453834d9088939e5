"""A clean-up job that goes wrong and is taken back: `agentrein demo`."""
