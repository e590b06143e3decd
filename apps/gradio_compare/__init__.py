"""The Compare tab in Gradio: sides beside each other, and a frame for the parts of others. Knows no backend."""
