"""The Gradio tab of the rhyme: what its events do, and its named endpoints. Knows no layout and no backend."""
