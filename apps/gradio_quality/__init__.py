"""The Gradio tab of quality: its forms, what its events do, and its named endpoints. Knows no layout of the tab."""
