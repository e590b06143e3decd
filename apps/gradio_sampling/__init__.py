"""The Gradio tab of the samplers: what its events do, and its named endpoints. Knows no layout and no backend."""
