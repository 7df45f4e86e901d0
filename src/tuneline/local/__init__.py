"""The local Vertex AI and Cloud Storage: one port, Google's own wire formats, state that survives."""
