"""The Gradio tab of documents and its named endpoints. Knows no layout of the tab."""
