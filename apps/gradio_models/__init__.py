"""The Gradio tab of models: its parts, what its events do, and its named endpoints. Knows no layout of the tab."""
