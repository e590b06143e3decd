"""The pieces of Streamlit's chat page; `pages/chat.py` puts them in their places. They know no backend."""
