"""The pieces of the Streamlit page of samplers: each draws one part of it."""
