"""The pieces of Gradio's chat tab; `apps/tabs/chat.py` puts them in their places. They know no backend."""
