"""GGUF files on disk: where they are, what their headers say, and how they are prepared."""
