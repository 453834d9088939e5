"""One file a system: how its own documentation says to build, resume and undo."""
