"""An agent that writes to 200 people instead of 12, and whose mails never leave: `agentrein demo --mails`."""
