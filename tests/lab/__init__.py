"""The fault lab: agents in processes of their own, killed at every boundary, and judged by what the world saw."""
