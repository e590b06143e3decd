"""The local runtime: a worker process per loaded model, its supervisor, and the admission in front of it."""
