"""An agent that closes and edits the wrong issues, and is taken back: `agentrein demo --issues`."""
