"""What is right at the end, on five ways to run an agent: scripted accidents, a world that outlives them, a judge."""
