"""One file per section: layout in Gradio, nothing else."""
